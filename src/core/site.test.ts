import assert from 'node:assert/strict'
import { test } from 'node:test'
import { app, type ServiceDeclaration } from './app.ts'
import { type Access, endpoints } from './endpoint.ts'
import { type SiteDefinition, site } from './site.ts'

const folder = new URL('./storefront/', import.meta.url)

function serviceAt(path: string, access: Access): ServiceDeclaration {
  const endpoint = endpoints('orders').put(path, { replies: {}, access })
  const routes = [{ endpoint, handler: async () => ({}) }]
  return { name: 'orders', placement: 'sharded', routes, consumers: [], consoleRoutes: [], emits: [] }
}

function problemsOf(definition: Partial<SiteDefinition>, path = '/orders', name = 'storefront'): string {
  try {
    app('shop', {
      services: [serviceAt(path, { consumers: ['operator'] })],
      sites: [site(name, { path: '/shop/', folder, ...definition })],
      gateway: { consumers: ['operator', 'storefront'] },
    })
    return ''
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

test('a site that fits is accepted, at the root too', () => {
  assert.equal(problemsOf({ consumer: 'storefront', redirectFrom: ['/'] }), '')
  assert.equal(problemsOf({ path: '/' }), '')
})

test('a site that would publish the key of a consumer with routes of its own is refused', () => {
  const reserved = 'site storefront would publish the key of operator, for whom PUT /orders is reserved'
  assert.ok(problemsOf({ consumer: 'operator' }).includes(reserved))
})

test('a consumer that the gateway does not have, a crooked path and a route within the site are refused', () => {
  assert.match(problemsOf({ consumer: 'partner' }), /consumer "partner" is none of the gateway's/)
  for (const path of ['shop/', '/shop', '/Shop/', '/../shop/', '/shop//']) {
    assert.match(problemsOf({ path }), /must look like "\/" or "\/shop\/"/, path)
  }
  assert.match(problemsOf({}, '/shop/orders'), /route PUT \/shop\/orders lies within site storefront \(\/shop\/\)/)
})

test('a site may not have the name of a service, nor redirect from its own path', () => {
  assert.match(problemsOf({}, '/orders', 'orders'), /service orders is declared twice/)
  assert.match(problemsOf({ redirectFrom: ['/shop/'] }), /route GET \/shop\/ of site storefront is declared twice/)
})
