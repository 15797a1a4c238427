import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { type App, app, endpoints } from '../core/index.ts'
import { handle, reply, service } from '../service/index.ts'
import { gatewaySeedOf, namedRoutesOf } from './gateway-routes.ts'

/** An application whose service has these paths, each with a parameter of text for each that it names. */
function appWith(paths: readonly string[]): App {
  const at = endpoints('user-service')
  const routes = paths.map((path) => {
    const names = [...path.matchAll(/:(\w+)/g)].map(([, name = '']) => [name, z.string()])
    const params = z.object(Object.fromEntries(names))
    return handle(at.get(path, { ...(names.length > 0 && { params }), replies: { 200: null } }), async () =>
      reply(200, null),
    )
  })
  return app('shop', { services: [service('user-service', { routes })] })
}

const prioritiesOf = (paths: readonly string[]) =>
  gatewaySeedOf(appWith(paths)).routes?.map((route) => route.regex_priority ?? 0)

test('the literal path goes before the parameter, however short it is, and wherever it is declared', () => {
  assert.deepEqual(prioritiesOf(['/users/:id', '/users/me']), [0, 1])
  assert.deepEqual(prioritiesOf(['/users/me', '/users/:id']), [1, 0])
})

test('where paths first differ counts, as it does for the service', () => {
  assert.deepEqual(
    prioritiesOf(['/:shop/orders/last', '/shops/:id/:what', '/shops/:id/last', '/shops/a/b']),
    [0, 1, 2, 2],
  )
})

test('a path that no other overlaps has the priority of any route', () => {
  assert.deepEqual(prioritiesOf(['/users/:id', '/users/:id/orders', '/orders/:id', '/health']), [0, 0, 0, 0])
})

test('paths that are called alike are two routes, and keep the key-auth of each', () => {
  const [service] = appWith(['/a/b', '/a-b', '/c']).services
  assert.ok(service)
  const names = namedRoutesOf(service).map(({ name }) => name)
  assert.equal(new Set(names).size, 3)
  assert.deepEqual(
    names.map((name) => name.replace(/-[\da-f]{8}$/, '-#')),
    ['user-service.get-a-b-#', 'user-service.get-a-b-#', 'user-service.get-c'],
  )
})
