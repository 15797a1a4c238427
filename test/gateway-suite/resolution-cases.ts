import assert from 'node:assert/strict'
import type { Case } from './case.ts'
import { seenBy } from './echo.ts'
import type { Json } from './world.ts'

export const resolutionCases: readonly Case[] = [
  [
    'of each plugin the instance with the most specific scope runs, in place of the others',
    async (world) => {
      const { service, route } = await world.route()
      const consumer = await world.add('/consumers', { username: world.host })
      await world.add(`/consumers/${consumer.id}/key-auth`, { key: world.host })
      await world.add(`/routes/${route.id}/plugins`, { name: 'key-auth' })
      const byRoute = { route: { id: route.id } }
      const byService = { service: { id: service.id } }
      const byConsumer = { consumer: { id: consumer.id } }
      const scopes: readonly (readonly [string, Json])[] = [
        ['global', {}],
        ['service', byService],
        ['route', byRoute],
        ['consumer', byConsumer],
        ['route and service', { ...byRoute, ...byService }],
        ['service and consumer', { ...byService, ...byConsumer }],
        ['route and consumer', { ...byRoute, ...byConsumer }],
        ['all', { ...byRoute, ...byService, ...byConsumer }],
      ]
      for (const [name, scope] of scopes) {
        const config = { add: { headers: [`X-Scope:${name}`] } }
        await world.add('/plugins', { name: 'request-transformer', config, ...scope })
        const { headers } = seenBy(await world.ask('/', { headers: { apikey: world.host } }))
        assert.equal(headers['x-scope'], name)
      }
    },
  ],
  [
    'a more specific instance replaces the other whole, it is not merged with it',
    async (world) => {
      const { service, route } = await world.route()
      const transformer = (header: string) => ({ name: 'request-transformer', config: { add: { headers: [header] } } })
      await world.add(`/services/${service.id}/plugins`, transformer('X-Service:1'))
      await world.add(`/routes/${route.id}/plugins`, transformer('X-Route:1'))
      const { headers } = seenBy(await world.ask('/'))
      assert.deepEqual([headers['x-service'], headers['x-route']], [undefined, '1'])
    },
  ],
  [
    'an instance that is switched off leaves its place to the next',
    async (world) => {
      const { service, route } = await world.route()
      const termination = (status: number) => ({ name: 'request-termination', config: { status_code: status } })
      await world.add(`/services/${service.id}/plugins`, termination(410))
      const { id } = await world.add(`/routes/${route.id}/plugins`, termination(451))
      assert.equal((await world.ask('/')).status, 451)
      await world.admin('PATCH', `/plugins/${id}`, { enabled: false })
      assert.equal((await world.ask('/')).status, 410)
    },
  ],
  [
    'plugins run by their priority: who has no key is refused before a limit counts him',
    async (world) => {
      const { route } = await world.plugged('rate-limiting', { hour: 1 })
      await world.add(`/routes/${route.id}/plugins`, { name: 'key-auth' })
      for (let count = 0; count < 3; count++) {
        const { status, headers } = await world.ask('/')
        assert.deepEqual([status, headers['x-ratelimit-limit-hour']], [401, undefined])
      }
    },
  ],
]
