import assert from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { until } from '../../testing/index.ts'
import { StandingClock } from '../gateway-fixture.ts'
import { JWKS_BYTES_MAX } from '../limits.ts'
import { guarded, seenBy } from './plugin-fixture.ts'
import { type Claims, signedBy, token } from './token-fixture.ts'

const START = '2026-03-01T12:00:00Z'
const nowS = Date.parse(START) / 1000

const ec = () => generateKeyPairSync('ec', { namedCurve: 'P-256' })
const published = (kid: string, key: KeyObject) => ({ ...key.export({ format: 'jwk' }), kid, use: 'sig' })

/** An issuer on loopback, with a discovery document and the keys in `set`. `down` makes it answer 500. */
async function startIssuer(context: TestContext) {
  const issuer = { set: [] as unknown[], down: false, fetches: 0, name: '', padding: '', keysAt: '' }
  const server = createServer((request, response) => {
    if (issuer.down) return response.writeHead(500).end()
    if (request.url === '/.well-known/openid-configuration') {
      return response.end(JSON.stringify({ issuer: issuer.name, jwks_uri: issuer.keysAt }))
    }
    issuer.fetches += 1
    return response.end(JSON.stringify({ keys: issuer.set, padding: issuer.padding }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  context.after(() => new Promise((resolve) => server.close(resolve)))
  issuer.name = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  issuer.keysAt = `${issuer.name}/keys`
  return issuer
}

/** A gateway that trusts the issuer, whose key `k1` signs, with the consumer `bob`, whom the issuer calls `b-1`. */
async function trusting(
  context: TestContext,
  settings: Record<string, unknown> = {},
  config: Record<string, unknown> = {},
) {
  const issuer = await startIssuer(context)
  const clock = new StandingClock(START)
  const gateway = await guarded(context, { clock })
  gateway.consumer('bob', { custom_id: 'b-1' })
  gateway.plug('jwt', { jwks: { issuer: issuer.name, ...settings }, ...config })
  const { publicKey, privateKey } = ec()
  issuer.set = [{ kty: 'unheard-of', kid: 'k0' }, published('k1', publicKey)]
  const claims = { iss: issuer.name, sub: 'b-1', exp: nowS + 86_400 }
  const made = (more: Claims = {}, header: Claims = { kid: 'k1' }, key = privateKey) =>
    signedBy({ ...claims, ...more }, key, 'ES256', header)
  const show = (text: string) => gateway.send('/', { headers: { authorization: `Bearer ${text}` } })
  const refusal = async (text: string) => {
    const { status, body } = await show(text)
    return [status, JSON.parse(body).message ?? JSON.parse(body)]
  }
  return { ...gateway, issuer, clock, claims, made, show, refusal, publicKey, privateKey }
}

test('a token that is signed with a discovered key lets its consumer in, and keys are fetched once', async (context) => {
  const { show, made, issuer } = await trusting(context)
  const answers = await Promise.all(Array.from({ length: 20 }, () => show(made())))
  for (const answer of answers) assert.equal(seenBy(answer).headers['x-consumer-username'], 'bob')
  assert.equal(issuer.fetches, 1)
  assert.equal(seenBy(await show(made({}, {}))).headers['x-credential-identifier'], 'b-1')
})

test('what one caller without a consumer was answered is not shown to another from the cache', async (context) => {
  const { send, made, plug } = await trusting(context, { consumer_optional: true }, { cookie_names: ['token'] })
  plug('proxy-cache', { strategy: 'memory', content_type: ['application/json', 'application/json; charset=utf-8'] })
  const statusFor = async (sub: string) => {
    const { headers } = await send('/', { headers: { cookie: `token=${made({ sub })}` } })
    return headers['x-cache-status']
  }
  assert.deepEqual([await statusFor('ann'), await statusFor('eve')], ['Bypass', 'Bypass'])
  assert.deepEqual([await statusFor('b-1'), await statusFor('b-1')], ['Miss', 'Hit'])
})

test('tokens that anybody could have made are refused', async (context) => {
  const { refusal, made, issuer, claims, publicKey } = await trusting(context, { audiences: ['shop'] })
  const aud = ['other', 'shop']
  assert.equal((await refusal(made({ aud })))[0], 200)
  assert.deepEqual(await refusal(made({ aud }, { kid: 'k1' }, ec().privateKey)), [401, 'Invalid signature'])
  assert.deepEqual(await refusal(made({ aud, iss: 'https://elsewhere' })), [
    401,
    "No credentials found for given 'iss'",
  ])
  assert.deepEqual(await refusal(made({ aud: 'other' })), [401, { aud: 'is not an accepted one' }])
  assert.deepEqual(await refusal(made({ aud, exp: undefined })), [401, { exp: 'must be a number' }])
  assert.deepEqual(await refusal(made({ aud, exp: nowS - 31 })), [401, { exp: 'token expired' }])
  assert.deepEqual(await refusal(made({ aud, sub: 'x' })), [401, "Could not find consumer for the claim 'sub'"])
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString()
  assert.deepEqual(await refusal(token({ ...claims, aud }, pem, 'HS256', { kid: 'k1' })), [401, 'Invalid algorithm'])
  assert.equal(issuer.fetches, 1)
})

test('an unknown key id is looked for at the issuer, but not more often than the interval', async (context) => {
  const { refusal, made, issuer, clock } = await trusting(context)
  await refusal(made())
  const next = ec()
  issuer.set = [published('k2', next.publicKey)]
  const rotated = made({}, { kid: 'k2' }, next.privateKey)
  assert.deepEqual(await refusal(rotated), [401, "No credentials found for given 'kid'"])
  clock.moveTo('2026-03-01T12:00:06Z')
  assert.equal((await refusal(rotated))[0], 200)
  for (let index = 0; index < 10; index++) await refusal(made({}, { kid: `made-up-${index}` }))
  assert.equal(issuer.fetches, 2)
  assert.deepEqual(await refusal(made()), [401, "No credentials found for given 'kid'"], 'the old key is withdrawn')
})

test('keys serve for a while when the issuer is down, and then count for nothing', async (context) => {
  const { refusal, made, issuer, clock } = await trusting(context)
  assert.equal((await refusal(made()))[0], 200)
  issuer.down = true
  clock.moveTo('2026-03-01T12:30:00Z')
  assert.equal((await refusal(made()))[0], 200)
  clock.moveTo('2026-03-01T13:00:01Z')
  assert.deepEqual(await refusal(made()), [503, 'The keys of the token issuer are not available'])
  issuer.down = false
  clock.moveTo('2026-03-01T13:00:10Z')
  assert.equal((await refusal(made()))[0], 200)
})

test('keys are fetched again in the background when they are no longer fresh', async (context) => {
  const { refusal, made, issuer, clock } = await trusting(context)
  await refusal(made())
  clock.moveTo('2026-03-01T12:05:01Z')
  assert.equal((await refusal(made()))[0], 200)
  await until(() => issuer.fetches === 2)
})

test('an issuer whose answers cannot be right lets nobody in', async (context) => {
  const { refusal, made, issuer, clock } = await trusting(context)
  const { name, keysAt } = issuer
  const breaks: readonly (() => void)[] = [
    () => Object.assign(issuer, { name: 'https://somebody-else' }),
    () => Object.assign(issuer, { name, keysAt: 'file:///etc/keys' }),
    () => Object.assign(issuer, { keysAt, padding: 'x'.repeat(JWKS_BYTES_MAX) }),
    () => Object.assign(issuer, { padding: '', set: [] }),
  ]
  for (const [index, spoil] of breaks.entries()) {
    const text = made()
    spoil()
    clock.moveTo(`2026-03-01T12:0${index}:00Z`)
    assert.equal((await refusal(text))[0], 503, `case ${index}`)
  }
})

test('callers who are no consumer may come in with the groups of their token', async (context) => {
  const { show, made, plug } = await trusting(context, { consumer_optional: true, groups_claim: 'scope' })
  plug('acl', { allow: ['orders:read'] })
  const { headers } = seenBy(await show(made({ sub: 'visitor', scope: 'orders:read profile' })))
  assert.deepEqual(
    [headers['x-consumer-id'], headers['x-credential-identifier'], headers['x-authenticated-groups']],
    [undefined, 'visitor', 'orders:read, profile'],
  )
  assert.equal((await show(made({ sub: 'visitor', scope: 'profile' }))).status, 403)
  assert.equal((await show(made({ sub: 'visitor' }))).status, 403)
})

test('the keys of consumers go on beside those of the issuer', async (context) => {
  const { show, config, consumer } = await trusting(context)
  const { id } = consumer('machine')
  config.add('jwt_secrets', { key: 'machine-key', secret: 'secret', consumer: { id } })
  const { headers } = seenBy(await show(token({ iss: 'machine-key' }, 'secret')))
  assert.equal(headers['x-consumer-username'], 'machine')
})
