import assert from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import type { Answer } from '../gateway-fixture.ts'
import { StandingClock } from '../gateway-fixture.ts'
import { everywhere, type GuardedOptions, guarded, seenBy } from './plugin-fixture.ts'
import { type Claims, signedBy, token } from './token-fixture.ts'

const NOW = '2026-03-01T12:00:00Z'
const nowS = Date.parse(NOW) / 1000

/** A gateway that asks for tokens, and the consumer `bob`, who signs with `secret` under the key `bob-key`. */
async function asking(context: TestContext, settings: Record<string, unknown> = {}, options: GuardedOptions = {}) {
  const gateway = await guarded(context, { clock: new StandingClock(NOW), ...options })
  const bob = gateway.consumer('bob', { custom_id: 'b-1' })
  gateway.config.add('jwt_secrets', { key: 'bob-key', secret: 'secret', consumer: { id: bob.id } })
  gateway.plug('jwt', settings)
  const bearer = (text: string) => ({ headers: { authorization: `Bearer ${text}` } })
  return { ...gateway, bob, show: (text: string) => gateway.send('/', bearer(text)) }
}

const claims = { iss: 'bob-key' }
const good = token(claims, 'secret')
const outcome = (answer: Answer) => [answer.status, answer.headers['www-authenticate'], answer.body]
const INVALID = 'Bearer error="invalid_token"'
const refused = (body: object) => [401, INVALID, JSON.stringify(body)]

everywhere('a signed token says who calls', async (context, place) => {
  const { send, show, bob } = await asking(context, { cookie_names: ['session'] }, { place })
  const cookie = { headers: { cookie: `other=1; session=${good}` } }
  for (const answer of [await show(good), await send(`/?jwt=${good}`), await send('/', cookie)]) {
    const { headers } = seenBy(answer)
    assert.deepEqual(
      [headers['x-consumer-id'], headers['x-consumer-username'], headers['x-credential-identifier']],
      [bob.id, 'bob', 'bob-key'],
    )
  }
  assert.deepEqual(outcome(await send('/')), [401, 'Bearer', '{"message":"Unauthorized"}'])
})

test('what is wrong with a token is said in Kong’s words', async (context) => {
  const { show, send } = await asking(context)
  const cases: readonly (readonly [string, string])[] = [
    ['x.y.z', 'Bad token; invalid JSON'],
    ['x', 'Bad token; invalid JSON'],
    [token(claims, '', 'none'), 'Bad token; invalid alg'],
    [token({}, 'secret'), "No mandatory 'iss' in claims"],
    [token({ iss: '' }, 'secret'), "Invalid 'iss' in claims"],
    [token({ iss: 'nobody' }, 'secret'), "No credentials found for given 'iss'"],
    [token({ iss: 7 }, 'secret'), "No credentials found for given 'iss'"],
    [token(claims, 'secret', 'HS512'), 'Invalid algorithm'],
    [token(claims, 'other'), 'Invalid signature'],
    [good.slice(0, good.lastIndexOf('.') + 1), 'Invalid signature'],
  ]
  for (const [text, message] of cases) assert.deepEqual(outcome(await show(text)), refused({ message }), message)
  const twice = await send(`/?jwt=${good}&jwt=${token({ ...claims, n: 2 }, 'secret')}`)
  assert.deepEqual(outcome(twice), refused({ message: 'Multiple tokens provided' }))
  assert.equal((await send(`/?jwt=${good}&jwt=${good}`)).status, 200)
})

test('claims that must hold are checked by the gateway’s clock', async (context) => {
  const { show } = await asking(context, { claims_to_verify: ['nbf', 'exp'], maximum_expiration: 300 })
  const shown = async (more: Claims) => outcome(await show(token({ ...claims, ...more }, 'secret')))
  assert.deepEqual(await shown({}), refused({ exp: 'must be a number', nbf: 'must be a number' }))
  assert.deepEqual(await shown({ exp: nowS, nbf: nowS }), refused({ exp: 'token expired' }))
  assert.deepEqual(await shown({ exp: nowS + 9, nbf: nowS + 1 }), refused({ nbf: 'token not valid yet' }))
  assert.deepEqual(await shown({ exp: nowS + 301, nbf: nowS }), refused({ exp: 'exceeds maximum allowed expiration' }))
  assert.equal((await shown({ exp: nowS + 300, nbf: nowS }))[0], 200)
})

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const KEYS: Readonly<Record<string, { publicKey: KeyObject; privateKey: KeyObject }>> = {
  RS256: rsa,
  RS384: rsa,
  RS512: rsa,
  PS256: rsa,
  PS384: rsa,
  PS512: rsa,
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  ES384: generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  ES512: generateKeyPairSync('ec', { namedCurve: 'P-521' }),
  EdDSA: generateKeyPairSync('ed25519'),
}

const pemOf = (key: KeyObject) => key.export({ type: 'spki', format: 'pem' }).toString()

test('every algorithm verifies its own signatures and no others', async (context) => {
  const { show, config, bob } = await asking(context)
  for (const [algorithm, { publicKey, privateKey }] of Object.entries(KEYS)) {
    const key = `key-${algorithm}`
    const rsa_public_key = pemOf(publicKey)
    config.add('jwt_secrets', { key, algorithm, rsa_public_key, consumer: { id: bob.id } })
    assert.equal((await show(signedBy({ iss: key }, privateKey, algorithm))).status, 200, algorithm)
    const other = signedBy({ iss: key, changed: true }, privateKey, algorithm).split('.')[1]
    const [head, , signature] = signedBy({ iss: key }, privateKey, algorithm).split('.')
    const forged = await show(`${head}.${other}.${signature}`)
    assert.deepEqual(outcome(forged), refused({ message: 'Invalid signature' }), algorithm)
    const cut = await show(`${head}.${other}.AAAA`)
    assert.deepEqual(outcome(cut), refused({ message: 'Invalid signature' }), algorithm)
    // The public key is no secret: signing with it must not help.
    assert.deepEqual(
      outcome(await show(token({ iss: key }, rsa_public_key))),
      refused({ message: 'Invalid algorithm' }),
    )
  }
  for (const algorithm of ['HS384', 'HS512']) {
    config.add('jwt_secrets', { key: algorithm, secret: 'deep', algorithm, consumer: { id: bob.id } })
    assert.equal((await show(token({ iss: algorithm }, 'deep', algorithm))).status, 200)
  }
})

test('secrets may be stored in base64, and the key be named by another claim', async (context) => {
  const { show, config, bob } = await asking(context, { secret_is_base64: true, key_claim_name: 'kid' })
  const secret = Buffer.from([0, 255, 1, 254])
  config.add('jwt_secrets', { key: 'k1', secret: secret.toString('base64'), consumer: { id: bob.id } })
  assert.equal((await show(token({}, secret, 'HS256', { kid: 'k1' }))).status, 200)
  assert.equal((await show(token({ kid: 'k1' }, 'wrong'))).status, 401)
})

test('a token is looked for where the plugin is told to', async (context) => {
  const settings = { uri_param_names: [], header_names: ['x-token'], realm: 'shop' }
  const { send, show } = await asking(context, settings)
  assert.equal((await send('/', { headers: { 'X-Token': `bearer ${good}` } })).status, 200)
  assert.deepEqual(outcome(await show(good)), [401, 'Bearer realm="shop"', '{"message":"Unauthorized"}'])
  assert.equal((await send(`/?jwt=${good}`)).status, 401)
})

test('without a valid token a request may go on as the anonymous consumer', async (context) => {
  const { show, consumer } = await asking(context, { anonymous: 'guest', run_on_preflight: false })
  consumer('guest')
  const { headers } = seenBy(await show('x.y.z'))
  assert.deepEqual([headers['x-consumer-username'], headers['x-anonymous-consumer']], ['guest', 'true'])
})

test('preflights are exempt when the plugin says so', async (context) => {
  const { send } = await asking(context, { run_on_preflight: false })
  assert.equal((await send('/', { method: 'OPTIONS' })).status, 200)
})
