import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Answer } from '../gateway-fixture.ts'
import { everywhere, guarded, type Place, seenBy } from './plugin-fixture.ts'

/** A gateway with the consumers `ann` (staff, beta) and `bob`, whose keys are their names. */
async function restricted(context: TestContext, settings: Record<string, unknown>, place: Place = 'in process') {
  const gateway = await guarded(context, { place })
  const { config, consumer, plug, send } = gateway
  const consumers = { ann: consumer('ann'), bob: consumer('bob') }
  for (const [key, { id }] of Object.entries(consumers)) config.add('keyauth_credentials', { key, consumer: { id } })
  for (const group of ['staff', 'beta']) config.add('acls', { group, consumer: { id: consumers.ann.id } })
  plug('acl', settings)
  const as = (apikey: string, more: Record<string, string> = {}) => send('/', { headers: { apikey, ...more } })
  return { ...gateway, as, consumers }
}

const refusal = (answer: Answer) => [answer.status, JSON.parse(answer.body).message]
const FORBIDDEN = [403, 'You cannot consume this service']

everywhere('only groups that are allowed may use the service, which learns them', async (context, place) => {
  const { as, plug } = await restricted(context, { allow: ['staff', 'admin'] }, place)
  plug('key-auth')
  const spoofed = await as('ann', { 'x-consumer-groups': 'admin', 'x-authenticated-groups': 'admin' })
  const { headers } = seenBy(spoofed)
  assert.deepEqual([headers['x-consumer-groups'], headers['x-authenticated-groups']], ['beta, staff', undefined])
  assert.deepEqual(refusal(await as('bob', { 'x-consumer-groups': 'staff' })), FORBIDDEN)
})

test('groups that are denied may not, everybody else may', async (context) => {
  const { as, plug, config, consumers } = await restricted(context, { deny: ['beta'], hide_groups_header: true })
  plug('key-auth')
  assert.deepEqual(refusal(await as('ann')), FORBIDDEN)
  assert.equal((await as('bob')).status, 200)
  const membership = config.snapshot().acls.find(({ group }) => group === 'beta')
  config.remove('acls', String(membership?.id))
  config.add('acls', { group: 'staff', consumer: { id: consumers.bob.id } })
  assert.equal((await as('ann')).status, 200)
  assert.equal(seenBy(await as('bob')).headers['x-consumer-groups'], undefined)
})

test('who is not authenticated at all is told so', async (context) => {
  const { as } = await restricted(context, { allow: ['staff'] })
  assert.deepEqual(refusal(await as('ann')), [401, 'Unauthorized'])
})

test('the anonymous consumer has groups like any other', async (context) => {
  const { as, plug, config, consumer } = await restricted(context, { allow: ['public'] })
  const { id } = consumer('guest')
  plug('key-auth', { anonymous: 'guest' })
  assert.deepEqual(refusal(await as('nobody')), FORBIDDEN)
  config.add('acls', { group: 'public', consumer: { id } })
  assert.equal(seenBy(await as('nobody')).headers['x-consumer-groups'], 'public')
})

test('one of the two lists must be given, and not both', async (context) => {
  const { plug } = await guarded(context)
  const message = /exactly one of these fields must be non-empty: 'config.allow', 'config.deny'/
  assert.throws(() => plug('acl', {}), message)
  assert.throws(() => plug('acl', { allow: ['a'], deny: ['b'] }), message)
  assert.throws(() => plug('acl', { allow: ['a'], include_consumer_groups: true }), /not available yet/)
})
