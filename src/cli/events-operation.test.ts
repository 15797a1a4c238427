import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { event, newContext } from '../core/index.ts'
import { systemMigrations } from '../data/index.ts'
import { type EventsRuntime, emit, eventsMigrations, lag, on, startEvents } from '../events/index.ts'
import { freePort, startTestCluster, type TestCluster, until } from '../testing/index.ts'

const BIN = fileURLToPath(new URL('../../bin/groundswell.js', import.meta.url))
const Sold = event('ticket.sold', 1, z.object({ userId: z.int(), note: z.string() }), { key: (sold) => sold.userId })

let started: TestCluster
let runtime: EventsRuntime
const seen: { note: string; isReplay: boolean }[] = []

before(async () => {
  started = await startTestCluster({ shards: 2, migrations: [systemMigrations, eventsMigrations] })
  const consumer = on(Sold, async ({ payload }, { tx, isReplay }) => {
    await tx.query('SELECT 1')
    seen.push({ note: payload.note, isReplay })
  })
  const groups = [{ name: 'mail', consumers: [consumer] }]
  runtime = await startEvents({ cluster: started.cluster, groups, owner: 'test', sequence: true })
})
after(async () => {
  await runtime?.stop({ deadlineAtMs: Date.now() + 5_000 })
  await started?.stop()
})

function spawned(...args: readonly string[]) {
  return spawnedWith({}, ...args)
}

function spawnedWith(variables: Readonly<Record<string, string>>, ...args: readonly string[]) {
  const env = { ...process.env, DATABASE_URLS: started.urls.join(','), ...variables }
  const child = spawn(process.execPath, [BIN, 'events', ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  const output = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (output.stdout += chunk))
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (output.stderr += chunk))
  const exited = new Promise<number | null>((resolve) => child.once('close', resolve))
  return { output, exited }
}

async function events(...args: readonly string[]) {
  const { output, exited } = spawned(...args)
  return { code: await exited, ...output }
}

const sell = (userId: number, ...notes: readonly string[]) =>
  started.cluster.forKey(userId).transaction(async (tx) => {
    for (const note of notes) emit(tx, Sold, { userId, note }, newContext())
  })

test('an operator looks into the log, pauses a group, sees it lag, replays it, and lets it go on', async () => {
  await sell(1, 'one', 'two')
  await sell(2, 'three')
  await until(() => seen.length === 3)

  const topics = await events('topics')
  assert.equal(topics.code, 0, topics.stderr)
  assert.match(
    topics.stdout,
    /^TOPIC +EVENTS +KEPT +DELAYED +KEPT SINCE +GROUPS\nticket\.sold +3 +3 +0 +20\S+Z +mail\n$/,
  )

  const paused = await events('pause', 'mail', '--json')
  assert.deepEqual(JSON.parse(paused.stdout), { group: 'mail', paused: true })
  const shown = await events('lag')
  assert.match(shown.stdout, /mail +ticket\.sold +0 +- +- +paused\n/)

  const replayed = await events('replay', 'mail', '--from', 'earliest', '--json')
  assert.equal(replayed.code, 0, replayed.stderr)
  assert.deepEqual(JSON.parse(replayed.stdout), {
    group: 'mail',
    replays: [
      { shard: 0, topic: 'ticket.sold', from: 0, committed: 1 },
      { shard: 1, topic: 'ticket.sold', from: 0, committed: 2 },
    ],
    taken: true,
    pending: [],
  })
  assert.ok((await lag(started.cluster)).some((row) => row.lag === 2))
  assert.equal((await events('resume', 'mail')).code, 0)
  await until(() => seen.length === 6)
  assert.deepEqual(
    seen.slice(3).map(({ isReplay }) => isReplay),
    [true, true, true],
  )

  const offset = await events('replay', 'mail', '--from', '99', '--shard', '0')
  assert.equal(offset.code, 1)
  assert.match(offset.stderr, /^error EVENTS_REPLAY_INVALID: .*holds offsets 0 to 1, not 99/)
})

test('while the broker is away, the lag that the log knows is shown, and that the rest is unknown', async (t) => {
  // As if the group had read through a broker.
  const { home } = started.cluster
  await home.query(
    `INSERT INTO groundswell.consumer_position (grp, source, topic, next_offset) VALUES ('mail', 0, 'ticket.sold/0', 1)`,
  )
  t.after(() => home.query(`DELETE FROM groundswell.consumer_position WHERE topic = 'ticket.sold/0'`))
  const broker = { EVENTS_URL: `amqp://127.0.0.1:${await freePort()}` }
  const shown = spawnedWith(broker, 'lag')
  assert.equal(await shown.exited, 0)
  assert.match(shown.output.stdout, /^GROUP +TOPIC .*\nmail +ticket\.sold /)
  assert.match(shown.output.stderr, /^The broker does not answer, .*: RabbitMQ: .*\n$/)
  const read = spawnedWith(broker, 'lag', '--json')
  assert.equal(await read.exited, 0)
  const { groups, partitions, brokerError } = JSON.parse(read.output.stdout)
  assert.deepEqual([groups.length > 0, partitions], [true, []])
  assert.match(brokerError, /^RabbitMQ: /)
})

test('events are followed as they come, of one key, up to a limit; what a group lags behind is shown first', async () => {
  const { output, exited } = spawned('tail', 'ticket.sold', '--key', '7', '--limit', '2', '--json')
  await until(() => output.stderr.includes('Following'))
  // The first look at the log follows: what is written until it has looked may or may not be shown.
  let serial = 0
  let code: number | null | undefined
  void exited.then((value) => {
    code = value
  })
  const writes = async () => {
    await sell(7, `seven-${serial++}`)
    await sell(8, 'eight')
    return code !== undefined
  }
  await until(writes, { timeoutMs: 90_000, what: 'the end of the tail' })
  assert.equal(code, 0, output.stderr)
  const lines = output.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { key: string })
  assert.deepEqual(
    lines.map(({ key }) => key),
    ['7', '7'],
  )

  const ended = await events('tail', 'ticket.sold', '--group', 'mail', '--for', '300ms')
  assert.equal(ended.code, 0, ended.stderr)
  const unknown = await events('tail', 'ticket.lost')
  assert.equal(unknown.code, 1)
  assert.match(unknown.stderr, /^error CLI_TOPIC_UNKNOWN: .*there is: ticket\.sold\n$/)
  assert.match((await events('pause', 'typo')).stderr, /^error CLI_GROUP_UNKNOWN: .*there is: mail\n$/)
})

test('what is lost is passed over only where it is said which, and the forwarder only where something is', async () => {
  const { cluster } = started
  const half = await events('skip', 'mail', '--shard', '0', '--to', '3')
  assert.equal(half.code, 1)
  assert.match(half.stderr, /^error CLI_OPTION_INVALID: .*all of --shard, --stream and --to\n/)
  const unread = await events('skip', 'mail', '--shard', '0', '--stream', 'ticket.lost/1', '--to', '3')
  assert.equal(unread.code, 1)
  assert.match(unread.stderr, /^error EVENTS_REPLAY_INVALID: mail has read nothing of ticket\.lost\/1/)
  await runtime.stop({ deadlineAtMs: Date.now() + 5_000 })
  const begun = await events('skip', 'mail', '--shard', '0', '--stream', 'ticket.sold/1', '--to', '3')
  assert.equal(begun.stdout, 'mail goes on at offset 3 of ticket.sold/1, shard 0.\n', begun.stderr)
  // As if a broker carried the log, and retention had dropped what was not forwarded.
  await cluster.home.query(
    `INSERT INTO groundswell.consumer_position (grp, source, topic, next_offset) VALUES ('~broker', 0, 'ticket.sold', 0)`,
  )
  assert.equal((await events('skip', '~broker')).stdout, 'Nothing was dropped that waits to be forwarded.\n')
  await cluster.home.query('UPDATE groundswell.log_head SET first_offset = 1')
  assert.match((await events('skip', '~broker', '--to', '1')).stderr, /^error CLI_OPTION_INVALID: .*only --shard/)
  const passed = await events('skip', '~broker', '--json')
  assert.deepEqual(JSON.parse(passed.stdout), {
    group: '~broker',
    passed: [{ topic: 'ticket.sold', events: 1, first: 1, shard: 0 }],
  })
})
