import { app, endpoints, handle, reply, service } from 'groundswell'
import { z } from 'zod'
import { trialQuota } from './trial-quota.ts'

const forecast = endpoints('weather-service').get('/forecast', { replies: { 200: z.object({ sky: z.string() }) } })

const weather = service('weather-service', {
  routes: [handle(forecast, async () => reply(200, { sky: 'clear' }))],
})

export default app('weather', {
  services: [weather],
  gateway: { consumers: ['partner'], plugins: [trialQuota] },
})
