import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { isPassword, storedPassword } from '../config/password.ts'
import type { Answer } from '../gateway-fixture.ts'
import { PASSWORD_CHECKS_PENDING_MAX } from '../limits.ts'
import { PasswordChecks } from './password-checks.ts'
import { everywhere, type GuardedOptions, guarded, seenBy } from './plugin-fixture.ts'
import { token } from './token-fixture.ts'

const basic = (username: string, password: string) =>
  `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`

/** A gateway that asks for passwords, with the consumer `bob`, who logs in as `bobby` with `se:cret`. */
async function asking(context: TestContext, settings: Record<string, unknown> = {}, options: GuardedOptions = {}) {
  const gateway = await guarded(context, options)
  const bob = gateway.consumer('bob')
  const login = { username: 'bobby', password: 'se:cret', consumer: { id: bob.id } }
  const credential = gateway.config.add('basicauth_credentials', login)
  gateway.plug('basic-auth', settings)
  const show = (authorization: string) => gateway.send('/', { headers: { authorization } })
  return { ...gateway, bob, credential, show }
}

const refusal = (answer: Answer) => [answer.status, JSON.parse(answer.body).message, answer.headers['www-authenticate']]
const UNAUTHORIZED = [401, 'Unauthorized', 'Basic realm="service"']

everywhere('a username and its password say who calls', async (context, place) => {
  const { show, send, bob } = await asking(context, {}, { place })
  const viaProxy = { headers: { 'proxy-authorization': basic('bobby', 'se:cret'), authorization: 'Bearer x' } }
  for (const answer of [await show(basic('bobby', 'se:cret')), await send('/', viaProxy)]) {
    const { headers } = seenBy(answer)
    assert.deepEqual([headers['x-consumer-id'], headers['x-credential-identifier']], [bob.id, 'bobby'])
  }
  assert.deepEqual(refusal(await send('/')), UNAUTHORIZED)
})

test('whatever is wrong, the answer is the same', async (context) => {
  const { show } = await asking(context)
  const wrong = [basic('bobby', 'x'), basic('nobody', 'se:cret'), basic('', 'x'), 'Basic !!!', 'Basic', 'Bearer x']
  for (const value of wrong) assert.deepEqual(refusal(await show(value)), UNAUTHORIZED, value)
  assert.deepEqual(refusal(await show(`Basic ${Buffer.from('bobby').toString('base64')}`)), UNAUTHORIZED)
})

test('a changed password is in force at once', async (context) => {
  const { show, config, credential, bob } = await asking(context)
  assert.equal((await show(basic('bobby', 'se:cret'))).status, 200)
  config.remove('basicauth_credentials', credential.id)
  config.add('basicauth_credentials', { username: 'bobby', password: 'new', consumer: { id: bob.id } })
  assert.equal((await show(basic('bobby', 'se:cret'))).status, 401)
  assert.equal((await show(basic('bobby', 'new'))).status, 200)
})

test('hidden credentials do not reach the service, and the realm is configured', async (context) => {
  const { show } = await asking(context, { hide_credentials: true, realm: 'shop' })
  assert.equal(seenBy(await show(basic('bobby', 'se:cret'))).headers.authorization, undefined)
  assert.deepEqual(refusal(await show('Basic x')), [401, 'Unauthorized', 'Basic realm="shop"'])
})

test('of several ways to authenticate with an anonymous consumer one is enough', async (context) => {
  const { send, plug, config, consumer, bob } = await asking(context, { anonymous: 'guest' })
  consumer('guest', { custom_id: 'g-1' })
  config.add('jwt_secrets', { key: 'k', secret: 's', consumer: { id: bob.id } })
  plug('jwt', { anonymous: 'guest' })
  plug('key-auth', { anonymous: 'guest' })
  const who = async (headers: Record<string, string>) => {
    const seen = seenBy(await send('/', { headers })).headers
    return [seen['x-consumer-username'], seen['x-consumer-custom-id'], seen['x-anonymous-consumer']]
  }
  assert.deepEqual(await who({ authorization: `Bearer ${token({ iss: 'k' }, 's')}` }), ['bob', undefined, undefined])
  // jwt and key-auth have let the anonymous consumer in by then: nothing of it is left.
  assert.deepEqual(await who({ authorization: basic('bobby', 'se:cret') }), ['bob', undefined, undefined])
  assert.deepEqual(await who({ authorization: basic('bobby', 'x') }), ['guest', 'g-1', 'true'])
})

test('the anonymous consumer may be refused altogether, in the words of its own plugin', async (context) => {
  const { show, plug, consumer } = await asking(context, { anonymous: 'guest' })
  const { id } = consumer('guest')
  plug('request-termination', { status_code: 401, message: 'log in' }, { consumer: { id } })
  assert.equal((await show(basic('bobby', 'se:cret'))).status, 200)
  const refused = await show(basic('bobby', 'x'))
  assert.deepEqual([refused.status, refused.body], [401, '{"message":"log in"}'])
})

test('without one all of them must be satisfied', async (context) => {
  const { send, plug, config, bob } = await asking(context)
  config.add('keyauth_credentials', { key: 'key', consumer: { id: bob.id } })
  plug('key-auth')
  const authorization = basic('bobby', 'se:cret')
  assert.equal((await send('/', { headers: { authorization } })).status, 401)
  assert.equal((await send('/', { headers: { apikey: 'key' } })).status, 401)
  assert.equal((await send('/', { headers: { authorization, apikey: 'key' } })).status, 200)
})

test('a stored password is a hash that stays as it is when it is stored again', async () => {
  const stored = storedPassword('secret')
  assert.match(stored, /^\$scrypt\$ln=14,r=8,p=1\$/)
  assert.notEqual(storedPassword('secret'), stored)
  assert.equal(storedPassword(stored), stored)
  assert.deepEqual([await isPassword('secret', stored), await isPassword(stored, stored)], [true, false])
  assert.equal(await isPassword('secret', 'secret'), false)
})

test('a verdict is remembered, checks under way are shared, and too many are refused', async () => {
  const checks = new PasswordChecks()
  const stored = storedPassword('secret')
  const first = checks.check('secret', stored)
  assert.equal(checks.check('secret', stored), first)
  assert.equal(await first, true)
  assert.equal(checks.check('secret', stored), true)
  const many = Array.from({ length: PASSWORD_CHECKS_PENDING_MAX }, (_, index) => checks.check(String(index), stored))
  assert.equal(checks.check('one more', stored), 'busy')
  assert.equal(checks.check('secret', stored), true, 'who has logged in before is not kept waiting')
  assert.deepEqual(new Set(await Promise.all(many)), new Set([false]))
  assert.equal(await checks.check('anything', undefined), false)
})
