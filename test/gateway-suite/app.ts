import { app, service } from 'groundswell'

/** The application behind the suite: one service, whose routes are the suite's own. */
export default app('gateway-suite', { services: [service('echo-service', { routes: [] })] })
