import { app, endpoints, handle, reply, service } from 'groundswell'
import { z } from 'zod'
import { ANSWER } from './workload.ts'

const hello = endpoints('hello-service').get('/hello', { replies: { 200: z.object({ message: z.string() }) } })

/** The smallest service there is: what a request costs here, it costs everywhere. */
export default app('gateway-bench', {
  services: [service('hello-service', { routes: [handle(hello, async () => reply(200, ANSWER))] })],
})
