import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { request as httpRequest } from 'node:http'
import { after, before, test } from 'node:test'
import { z } from 'zod'
import { app, event, newContext } from '../../core/index.ts'
import { systemMigrations } from '../../data/index.ts'
import {
  deadLetters as deadLettersOf,
  type EventsRuntime,
  emit,
  eventsMigrations,
  lag,
  on,
  outboxDepth,
  parkedCounts,
  pauseGroup,
  redrive,
  replayGroup,
  startEvents,
} from '../../events/index.ts'
import { startTestCluster, until } from '../../testing/index.ts'
import { type Console, createConsole } from '../console.ts'
import type { ShownDeadLetter } from '../index.ts'
import { PAYLOAD_CHARS_MAX } from '../limits.ts'
import { createFixtureView } from '../telemetry-fixture.ts'
import type { EventStates, GroupState, TopicState } from './event-states.ts'
import type { EventsPort } from './events-port.ts'

/** The console's API about events, over a real event log with a group whose handler fails while it is told to. */

type Fields = Record<string, unknown>

const Letter = event('test.letter', 1, z.object({ account: z.int(), text: z.string() }), {
  key: (letter) => letter.account,
})
const GROUP = 'mail-service'
const stop = { deadlineAtMs: 0 }
const retry = { attemptsMax: 1, backoff: { minMs: 5, maxMs: 20 } }

let testCluster: Awaited<ReturnType<typeof startTestCluster>>
let runtime: EventsRuntime
let open: Console
let origin = ''
let isBroken = true
const sent: number[] = []
const view = createFixtureView({ startedAtMs: 1_700_000_000_000, seconds: 1 })
const parts = { app: app('shop', { services: [] }), view, shards: [] }
const pages = (_request: unknown, response: { writeHead(status: number): { end(): void } }) =>
  response.writeHead(404).end()

before(async () => {
  testCluster = await startTestCluster({ shards: 2, migrations: [systemMigrations, eventsMigrations] })
  const { cluster } = testCluster
  const consumer = on(Letter, async ({ payload }) => {
    if (isBroken && payload.account === 2) throw new Error(`no letter box at ${payload.account}`)
    sent.push(payload.account)
  })
  const groups = [{ name: GROUP, consumers: [consumer] }]
  runtime = await startEvents({ cluster, groups, owner: 'test', sequence: true, retry })
  const events: EventsPort = {
    positions: () => lag(cluster),
    parked: () => parkedCounts(cluster),
    outbox: () => outboxDepth(cluster),
    deadLetters: (options) => deadLettersOf(cluster, options),
    redrive: (options) => redrive(cluster, options),
    pause: (options) => pauseGroup(cluster, options),
  }
  open = await createConsole({ ...parts, pages, events })
  origin = `http://127.0.0.1:${(await open.listen({ host: '127.0.0.1', port: 0 })).port}`
})

after(async () => {
  await open?.close(stop)
  await runtime?.stop({ deadlineAtMs: Date.now() + 5_000 })
  await testCluster?.stop()
})

type Sent = { readonly body?: unknown; readonly headers?: Record<string, string> }

/** Not by fetch, which lets nobody set the headers that browsers keep for themselves. */
async function call(method: string, path: string, { body, headers = {} }: Sent = {}) {
  const type = body === undefined ? {} : { 'content-type': 'application/json' }
  return new Promise<{ status: number; body: Fields }>((resolve, reject) => {
    const request = httpRequest(origin + path, { method, headers: { ...type, ...headers }, agent: false })
    request.on('error', reject)
    request.on('response', async (response) => {
      const text = (await response.toArray()).join('')
      resolve({ status: response.statusCode ?? 0, body: text === '' ? {} : JSON.parse(text) })
    })
    request.end(body === undefined ? undefined : JSON.stringify(body))
  })
}

/** From a customer whose letters fail, and from one whose letters do not. */
async function write(accounts: readonly number[], text = 'hello'): Promise<void> {
  for (const account of accounts) {
    await testCluster.cluster.home.transaction(async (tx) => emit(tx, Letter, { account, text }, newContext()))
  }
}

async function states(): Promise<EventStates> {
  return (await call('GET', '/api/events')).body as EventStates
}

async function group(): Promise<GroupState | undefined> {
  return (await states()).groups.find((one) => one.group === GROUP)
}

async function topic(): Promise<TopicState | undefined> {
  return (await group())?.topics[0]
}

async function deadLetters(query = ''): Promise<readonly ShownDeadLetter[]> {
  return (await call('GET', `/api/events/dead-letters${query}`)).body.deadLetters as ShownDeadLetter[]
}

const act = (verb: string, sent: Sent = { body: {} }, name = GROUP) =>
  call('POST', `/api/events/groups/${encodeURIComponent(name)}/${verb}`, sent)

test('a dead letter is shown with its cause, its key and what waits behind it', async () => {
  await write([2, 1, 2, 2], 'x'.repeat(PAYLOAD_CHARS_MAX))
  await until(
    async () => {
      const { dead, waiting, lag, places } = (await topic()) ?? {}
      // The group begins on each shard when it holds its lease there.
      return dead === 1 && waiting === 2 && lag === 0 && places?.length === 2
    },
    { what: 'a dead one, two that wait, and a place on each shard' },
  )
  const { topic: name, dead, waiting, retrying, places } = (await topic()) ?? assert.fail('the topic is not there')
  assert.deepEqual([name, dead, waiting, retrying, places.length], ['test.letter', 1, 2, 0, 2])
  assert.equal((await group())?.state, 'running')
  const [letter, ...more] = await deadLetters()
  assert.deepEqual(more, [])
  assert.ok(letter !== undefined)
  const { error, key, attempts, waiting: behind } = letter
  assert.match(error, /no letter box at 2/)
  // The first failure parks it; the one attempt that is allowed is after that.
  assert.deepEqual([key, attempts, behind], ['2', 2, 2])
  assert.equal(letter.isPayloadCut, true)
  assert.match(letter.payload, /^\{\n {2}"account": 2,\n {2}"text": "x+$/)
  assert.equal(letter.payload.length, PAYLOAD_CHARS_MAX)
  assert.equal(letter.traceId, undefined, 'telemetry keeps no such trace')
  assert.ok(letter.lastFailedAtMs >= letter.firstFailedAtMs)
  assert.deepEqual(sent, [1])
})

test('dead letters are those of one group when it is named, and no more than asked for', async () => {
  assert.equal((await deadLetters(`?group=${GROUP}&limit=1`)).length, 1)
  assert.equal((await deadLetters('?group=another')).length, 0)
  assert.equal((await call('GET', '/api/events/dead-letters?limit=many')).body.code, 'CONSOLE_QUERY_INVALID')
})

test('a redrive comes from the console’s own page or from no browser, and names what it means', async () => {
  const body = {}
  const refused = async (sent: Sent) => {
    const { status, body: problem } = await act('redrive', sent)
    return `${status} ${problem.code}`
  }
  assert.equal(await refused({ body, headers: { origin: 'http://evil.example' } }), '403 CONSOLE_ORIGIN_REFUSED')
  assert.equal(await refused({ body, headers: { 'sec-fetch-site': 'cross-site' } }), '403 CONSOLE_ORIGIN_REFUSED')
  assert.equal(await refused({ body, headers: { 'content-type': 'text/plain' } }), '415 CONSOLE_BODY_NOT_JSON')
  assert.equal(await refused({}), '415 CONSOLE_BODY_NOT_JSON')
  for (const wrong of [{ id: 'all' }, { ID: randomUUID() }, { id: null }, [], 'all']) {
    assert.equal(await refused({ body: wrong }), '400 CONSOLE_BODY_INVALID', JSON.stringify(wrong))
  }
  assert.equal((await act('redrive', { body }, 'mail-servce')).body.code, 'CONSOLE_GROUP_UNKNOWN')
  assert.equal((await act('redrive', { body }, '%')).body.code, 'CONSOLE_GROUP_UNKNOWN')
  assert.equal((await topic())?.dead, 1, 'nothing was tried again')
})

test('one that is redriven too early fails again; after the repair all of its key go through, in order', async () => {
  const [before] = await deadLetters()
  const own = { origin, 'sec-fetch-site': 'same-origin' }
  assert.deepEqual((await act('redrive', { body: { id: before?.id }, headers: own })).body, { redriven: 1 })
  await until(async () => ((await deadLetters())[0]?.lastFailedAtMs ?? 0) > (before?.lastFailedAtMs ?? 0), {
    what: 'another failure',
  })
  assert.deepEqual((await act('redrive', { body: { id: randomUUID() } })).body, { redriven: 0 })
  isBroken = false
  assert.deepEqual((await act('redrive')).body, { redriven: 1 })
  await until(async () => sent.length === 4, { what: 'every letter sent' })
  await until(async () => (await topic())?.waiting === 0, { what: 'nothing parked' })
  assert.deepEqual(await deadLetters(), [])
})

test('a paused group keeps what is written for it until it is resumed', async () => {
  assert.deepEqual((await act('pause')).body, { paused: true })
  assert.equal((await group())?.state, 'paused')
  // It delivers until it has learned of it, which may take everything that was written by then.
  let seen: TopicState | undefined
  await until(async () => {
    await write([7])
    seen = await topic()
    return (seen?.lag ?? 0) >= 10
  })
  assert.equal(seen?.places[0]?.lag, seen?.lag, 'all of it was written on the home shard')
  await replayGroup(testCluster.cluster, { group: GROUP, start: { kind: 'earliest' } })
  assert.equal((await group())?.state, 'paused')
  assert.deepEqual((await act('resume')).body, { paused: false })
  await until(async () => (await topic())?.lag === 0 && (await group())?.state === 'running', {
    what: 'the replay, and what waited',
  })
  assert.equal(sent.filter((account) => account === 1).length, 2, 'the letters of the log came again')
})

test('what waits for the sequencer is told by shard', async () => {
  const { outbox } = await states()
  assert.deepEqual(
    outbox.map(({ shard }) => shard),
    [0, 1],
  )
})

test('what there is not, is said', async () => {
  const code = async (method: string, path: string) => {
    const { status, body } = await call(method, path)
    return `${status} ${body.code}`
  }
  assert.equal(await code('GET', '/api/events/nothing'), '404 CONSOLE_PATH_UNKNOWN')
  assert.equal(await code('POST', `/api/events/groups/${GROUP}/delete`), '404 CONSOLE_PATH_UNKNOWN')
  assert.equal(await code('POST', '/api/events'), '405 CONSOLE_METHOD_NOT_ALLOWED')
  assert.equal(await code('GET', `/api/events/groups/${GROUP}/redrive`), '405 CONSOLE_METHOD_NOT_ALLOWED')
})

test('a console without an event log says so', async (context) => {
  const without = await createConsole({ ...parts, pages })
  context.after(() => without.close(stop))
  const { port } = await without.listen({ host: '127.0.0.1', port: 0 })
  const response = await fetch(`http://127.0.0.1:${port}/api/events`)
  const { code } = (await response.json()) as { code: string }
  assert.deepEqual([response.status, code], [404, 'CONSOLE_EVENTS_NONE'])
})
