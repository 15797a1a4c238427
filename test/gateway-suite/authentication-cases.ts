import assert from 'node:assert/strict'
import { token } from '../../src/gateway/plugins/token-fixture.ts'
import type { Case } from './case.ts'
import { seenBy } from './echo.ts'
import { type Json, outcome, type World } from './world.ts'

const consumerNamed = (world: World) => world.add('/consumers', { username: world.host, custom_id: `c-${world.host}` })
const basic = (username: string, password: string) =>
  `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`

export const authenticationCases: readonly Case[] = [
  [
    'key-auth: a key in header or query says who calls; without, with a wrong one, or with two, 401',
    async (world) => {
      await world.plugged('key-auth')
      const consumer = await consumerNamed(world)
      const key = await world.add(`/consumers/${consumer.id}/key-auth`, { key: world.host })
      for (const answer of [
        await world.ask('/', { headers: { apikey: world.host } }),
        await world.ask(`/?apikey=${world.host}`),
      ]) {
        const { headers } = seenBy(answer)
        assert.deepEqual([headers['x-consumer-id'], headers['x-consumer-username']], [consumer.id, world.host])
        assert.deepEqual(
          [headers['x-consumer-custom-id'], headers['x-credential-identifier']],
          [`c-${world.host}`, key.id],
        )
      }
      const without = await world.ask('/')
      assert.deepEqual(outcome(without), [401, 'No API key found in request'])
      assert.equal(without.headers['www-authenticate'], 'Key')
      assert.deepEqual(outcome(await world.ask('/', { headers: { apikey: 'x' } })), [401, 'Unauthorized'])
      assert.deepEqual(outcome(await world.ask('/?apikey=x&apikey=y')), [401, 'Duplicate API key found'])
    },
  ],
  [
    'key-auth: hidden keys, other names, a realm',
    async (world) => {
      await world.plugged('key-auth', { key_names: ['x-own'], hide_credentials: true, realm: 'shop' })
      const consumer = await consumerNamed(world)
      await world.add(`/consumers/${consumer.id}/key-auth`, { key: world.host })
      const { url, headers } = seenBy(await world.ask('/?a=1', { headers: { 'x-own': world.host } }))
      assert.deepEqual([url, headers['x-own']], ['/?a=1', undefined])
      assert.equal(seenBy(await world.ask(`/?a=1&x-own=${world.host}`)).url, '/?a=1')
      assert.equal((await world.ask('/')).headers['www-authenticate'], 'Key realm="shop"')
    },
  ],
  [
    'key-auth: an anonymous consumer lets in without a key; one that is not there is a 500',
    async (world) => {
      const anonymous = await consumerNamed(world)
      const { plugin } = await world.plugged('key-auth', { anonymous: anonymous.id })
      const { headers } = seenBy(await world.ask('/'))
      assert.deepEqual([headers['x-anonymous-consumer'], headers['x-consumer-username']], ['true', world.host])
      assert.equal(headers['x-credential-identifier'], undefined)
      await world.admin('PATCH', `/plugins/${plugin.id}`, { config: { anonymous: 'nobody' } })
      assert.deepEqual(outcome(await world.ask('/')), [500, 'An unexpected error occurred'])
    },
  ],
  [
    'jwt: a signed token says who calls; what is wrong with others is said in compact JSON',
    async (world) => {
      await world.plugged('jwt', { claims_to_verify: ['exp', 'nbf'] })
      const consumer = await consumerNamed(world)
      const iss = `key-${world.host}`
      await world.add(`/consumers/${consumer.id}/jwt`, { key: iss, secret: 'secret' })
      const year = 31_536_000
      const now = Math.floor(Date.now() / 1_000)
      const good = { iss, exp: now + year, nbf: now - year }
      const shown = (text: string) => world.ask('/', { headers: { authorization: `Bearer ${text}` } })
      for (const answer of [await shown(token(good, 'secret')), await world.ask(`/?jwt=${token(good, 'secret')}`)]) {
        const { headers } = seenBy(answer)
        assert.deepEqual([headers['x-consumer-username'], headers['x-credential-identifier']], [world.host, iss])
      }
      const none = await world.ask('/')
      assert.deepEqual([none.status, none.body], [401, '{"message":"Unauthorized"}'])
      assert.equal(none.headers['www-authenticate'], 'Bearer')
      for (const [text, body] of [
        ['x.y.z', { message: 'Bad token; invalid JSON' }],
        [token({}, 'secret'), { message: "No mandatory 'iss' in claims" }],
        [token({ iss: '' }, 'secret'), { message: "Invalid 'iss' in claims" }],
        [token({ ...good, iss: 'nobody' }, 'secret'), { message: "No credentials found for given 'iss'" }],
        [token(good, 'secret', 'HS384'), { message: 'Invalid algorithm' }],
        [token(good, 'other'), { message: 'Invalid signature' }],
        [token({ ...good, exp: now - year }, 'secret'), { exp: 'token expired' }],
        [token({ ...good, nbf: now + year }, 'secret'), { nbf: 'token not valid yet' }],
        [token({ iss }, 'secret'), { exp: 'must be a number', nbf: 'must be a number' }],
      ] as const) {
        const answer = await shown(text)
        assert.deepEqual([answer.status, JSON.parse(answer.body)], [401, body])
        assert.equal(answer.headers['www-authenticate'], 'Bearer error="invalid_token"')
      }
    },
  ],
  [
    'basic-auth: username and password say who calls, by Proxy-Authorization first; all else is one 401',
    async (world) => {
      await world.plugged('basic-auth', { hide_credentials: true })
      const consumer = await consumerNamed(world)
      const login = { username: world.host, password: 'se:cret' }
      await world.add(`/consumers/${consumer.id}/basic-auth`, login)
      const good = basic(world.host, 'se:cret')
      for (const headers of [{ authorization: good }, { 'proxy-authorization': good, authorization: 'Bearer x' }]) {
        const seen = seenBy(await world.ask('/', { headers })).headers
        assert.deepEqual([seen['x-consumer-username'], seen['x-credential-identifier']], [world.host, world.host])
        assert.equal(JSON.stringify(seen).includes(good), false, 'hidden')
      }
      for (const authorization of [undefined, basic(world.host, 'x'), basic('nobody', 'x'), 'Basic !!!', 'Bearer x']) {
        const answer = await world.ask('/', { headers: authorization === undefined ? {} : { authorization } })
        assert.deepEqual(outcome(answer), [401, 'Unauthorized'])
        assert.equal(answer.headers['www-authenticate'], 'Basic realm="service"')
      }
    },
  ],
  [
    'acl: groups that are allowed get in and are named; others 403, nobody at all 401',
    async (world) => {
      const { route } = await world.plugged('acl', { allow: ['gold'] })
      assert.deepEqual(outcome(await world.ask('/')), [401, 'Unauthorized'])
      await world.add(`/routes/${route.id}/plugins`, { name: 'key-auth' })
      const consumer = await consumerNamed(world)
      await world.add(`/consumers/${consumer.id}/key-auth`, { key: world.host })
      const asked = () => world.ask('/', { headers: { apikey: world.host } })
      assert.deepEqual(outcome(await asked()), [403, 'You cannot consume this service'])
      for (const group of ['gold', 'new']) await world.add(`/consumers/${consumer.id}/acls`, { group })
      const groups = String(seenBy(await asked()).headers['x-consumer-groups']).split(', ')
      assert.deepEqual(groups.toSorted(), ['gold', 'new'])
    },
  ],
  [
    'acl: groups that are denied are kept out, everybody else gets in',
    async (world) => {
      const { route } = await world.plugged('acl', { deny: ['bad'], hide_groups_header: true })
      await world.add(`/routes/${route.id}/plugins`, { name: 'key-auth' })
      const consumer = await consumerNamed(world)
      await world.add(`/consumers/${consumer.id}/key-auth`, { key: world.host })
      const asked = () => world.ask('/', { headers: { apikey: world.host } })
      assert.equal(seenBy(await asked()).headers['x-consumer-groups'], undefined)
      await world.add(`/consumers/${consumer.id}/acls`, { group: 'bad' })
      assert.deepEqual(outcome(await asked()), [403, 'You cannot consume this service'])
    },
  ],
  [
    'ip-restriction: an address that is denied, or not among the allowed, gets 403 in the configured words',
    async (world) => {
      const { plugin } = await world.plugged('ip-restriction', { deny: ['127.0.0.0/8'] })
      const configure = (config: Json) => world.admin('PATCH', `/plugins/${plugin.id}`, { config })
      assert.deepEqual(outcome(await world.ask('/')), [403, 'IP address not allowed: 127.0.0.1'])
      await configure({ allow: ['127.0.0.1'] })
      assert.equal((await world.ask('/')).status, 403, 'deny wins')
      await configure({ deny: null })
      assert.equal((await world.ask('/')).status, 200)
      await configure({ allow: ['10.0.0.0/8'], status: 451, message: 'not here' })
      assert.deepEqual(outcome(await world.ask('/')), [451, 'not here'])
    },
  ],
]
