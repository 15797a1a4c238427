import assert from 'node:assert/strict'
import { test } from 'node:test'
import specifications from '@asyncapi/specs'
import { Validator } from '@seriousme/openapi-schema-validator'
import { Ajv } from 'ajv'
import { z } from 'zod'
import { app, endpoints, event } from '../core/index.ts'
import { asyncApiOf, openApiOf } from './index.ts'

const at = endpoints('order-service')
const schema = z.object({ userId: z.int(), sku: z.string().default('poncho') })
const Placed = event('order.placed', 1, schema, { key: (order) => order.userId })
const PlacedV2 = event('order.placed', 2, schema.extend({ quantity: z.int() }), {
  key: (order) => order.userId,
  previous: { type: Placed, upcast: (old) => ({ ...old, quantity: 1 }) },
})
const Order = z.object({ id: z.string(), sku: z.string() })
const routes = [
  at.post('/orders', {
    summary: 'Place an order',
    body: schema,
    replies: { 202: Order },
    access: 'key',
  }),
  at.get('/orders/:orderId', {
    params: z.object({ orderId: z.string() }),
    query: z.object({ limit: z.coerce.number().int().min(1).default(20), cursor: z.string().optional() }),
    replies: { 200: Order, 404: null },
    access: { consumers: ['operator'] },
  }),
  at.get('/internal', { replies: { 200: Order }, exposed: false }),
].map((endpoint) => ({ endpoint, handler: async () => ({}) }))
const parts = { placement: 'sharded', consoleRoutes: [] } as const
const shop = app('shop', {
  services: [
    { ...parts, name: 'order-service', summary: 'Accepts orders', routes, consumers: [], emits: [PlacedV2] },
    {
      ...parts,
      name: 'email-service',
      routes: [],
      consumers: [{ event: PlacedV2, target: 'key', batch: false, apply: async () => {} }],
      emits: [],
    },
  ],
})

test('the events are a valid AsyncAPI 3.0 document, with every version that can be read', async () => {
  const document = asyncApiOf(shop, { version: '1.2.3' })
  const isValid = new Ajv({ strict: false, validateFormats: false, meta: false, validateSchema: false }).compile(
    specifications.schemas['3.0.0'] as object,
  )
  assert.ok(isValid(document), JSON.stringify(isValid.errors?.slice(0, 3)))
  assert.deepEqual(document.operations, {
    'order-service.sends.order.placed.v2': {
      action: 'send',
      channel: { $ref: '#/channels/order.placed' },
      messages: [{ $ref: '#/channels/order.placed/messages/order.placed.v2' }],
      summary: 'Accepts orders',
    },
    'email-service.receives.order.placed': {
      action: 'receive',
      channel: { $ref: '#/channels/order.placed' },
      messages: [
        { $ref: '#/channels/order.placed/messages/order.placed.v2' },
        { $ref: '#/channels/order.placed/messages/order.placed.v1' },
      ],
    },
  })
  assert.deepEqual(dangling(document), [])
  assert.ok(!isValid({ ...document, channels: [] }))
})

test('the routes that clients may call are a valid OpenAPI 3.1 document', async () => {
  const document = openApiOf(shop, { version: '1.2.3', url: 'https://shop.example' })
  const validator = new Validator()
  const answer = await validator.validate(document)
  assert.ok(answer.valid, JSON.stringify(answer.errors))
  assert.deepEqual(dangling(document), [])
  const paths = document.paths as Record<string, Record<string, Record<string, unknown>>>
  assert.deepEqual(Object.keys(paths), ['/orders', '/orders/{orderId}'])
  const get = paths['/orders/{orderId}']?.get
  assert.deepEqual(get?.parameters, [
    { name: 'orderId', in: 'path', required: true, schema: { type: 'string' } },
    { name: 'limit', in: 'query', required: false, schema: { default: 20, type: 'integer', minimum: 1 } },
    { name: 'cursor', in: 'query', required: false, schema: { type: 'string' } },
  ])
  assert.deepEqual([get?.operationId, get?.security], ['getOrdersOrderId', [{ key: [] }]])
  assert.deepEqual((get?.responses as Record<string, unknown> | undefined)?.['404'], { description: 'Status 404' })
  assert.deepEqual((await validator.validate({ ...document, paths: [] })).valid, false)
})

/** References inside a document that lead nowhere: validators by schema do not follow them. */
function dangling(document: unknown): readonly string[] {
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"(#[^"]*)"/g)].map((match) => match[1] ?? '')
  return references.filter((reference) => {
    const steps = reference.slice(2).split('/')
    const found = steps.reduce<unknown>((part, step) => (part as Record<string, unknown> | undefined)?.[step], document)
    return found === undefined
  })
}
