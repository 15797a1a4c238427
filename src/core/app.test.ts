import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { app, type ServiceDeclaration } from './app.ts'
import { endpoints } from './endpoint.ts'
import { event } from './event.ts'

const Placed = event('order.placed', 1, z.object({ userId: z.int() }), { key: (order) => order.userId })

function declaration(name: string, rest: Partial<ServiceDeclaration> = {}): ServiceDeclaration {
  return { name, placement: 'sharded', routes: [], consumers: [], consoleRoutes: [], emits: [], ...rest }
}

function route(service: string, path: string, exposed = true) {
  return { endpoint: endpoints(service).get(path, { replies: {}, exposed }), handler: async () => ({}) }
}

test('an application with services that fit is accepted', () => {
  const value = app('shop', {
    services: [
      declaration('orders', { routes: [route('orders', '/orders/:id')], emits: [Placed] }),
      declaration('email', {
        consumers: [{ event: Placed, target: 'key', batch: false, apply: async () => {} }],
      }),
    ],
  })
  assert.equal(value.services.length, 2)
})

test('an event that cannot be read back from JSON is a problem of the application', () => {
  const Dated = event('order.dated', 2, z.object({ lines: z.array(z.object({ at: z.date() })) }), { key: () => 1 })
  const consumer = { event: Dated, target: 'key', batch: false, apply: async () => {} } as const
  const define = () =>
    app('shop', {
      services: [declaration('orders', { emits: [Dated] }), declaration('email', { consumers: [consumer] })],
    })
  assert.throws(define, /has 1 problem\(s\):\n- event order.dated v2 cannot be .*: lines\.\*\.at is a date; use z\.iso/)
})

test('every problem of an application is reported at once', () => {
  const define = () =>
    app('Shop', {
      services: [
        declaration('orders', { routes: [route('orders', '/orders/:id'), route('users', '/users')] }),
        declaration('orders', { routes: [route('orders', '/orders/:orderId')] }),
        declaration('email', { consumers: [{ event: Placed, target: 'key', batch: false, apply: async () => {} }] }),
      ],
    })
  assert.throws(define, (error: Error) => {
    assert.match(error.message, /has 5 problem/)
    assert.match(error.message, /"Shop" must be kebab-case/)
    assert.match(error.message, /service orders is declared twice/)
    assert.match(error.message, /- route GET \/orders\/:orderId of orders is GET \/orders\/:id of orders$/)
    assert.match(error.message, /belongs to users, not orders/)
    assert.match(error.message, /consumes order.placed, which nobody emits/)
    return true
  })
})

test('a route of two services names both, each with its own path', () => {
  const define = () =>
    app('library', {
      services: [
        declaration('member-service', { routes: [route('member-service', '/members/:memberId')] }),
        declaration('x-service', { routes: [route('x-service', '/members/:id')] }),
      ],
    })
  assert.throws(define, /\n- route GET \/members\/:id of x-service is GET \/members\/:memberId of member-service$/)
})

test('a service may not be named like a part of the platform, which --only could not tell apart', () => {
  for (const name of ['gateway', 'console']) {
    assert.throws(() => app('library', { services: [declaration(name)] }), {
      message: `app "library" has 1 problem(s):\n- service ${name} has the name of the platform's own ${name}: choose another`,
    })
  }
})

test('a route that is kept off the gateway is a problem where a route beside it brings requests to it', () => {
  const define = (...routes: ReturnType<typeof route>[]) =>
    app('shop', { services: [declaration('users', { routes })] })
  assert.throws(() => define(route('users', '/users/:id'), route('users', '/users/audit', false)), {
    message: /\n- route GET \/users\/audit of users is kept off the gateway, but \/users\/:id brings requests to it$/,
  })
  // The service takes the literal one, and the gateway knows no other.
  assert.equal(define(route('users', '/users/:id', false), route('users', '/users/me')).services.length, 1)
  assert.equal(define(route('users', '/users/:id', false), route('users', '/users/:id/orders')).services.length, 1)
})
