import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, test } from 'node:test'
import { z } from 'zod'
import { type ConsumerDeclaration, event, newContext } from '../core/index.ts'
import { type OpenCluster, type Shard, systemMigrations } from '../data/index.ts'
import { startTestCluster, type TestCluster, until } from '../testing/index.ts'
import { onBatch } from './consumer.ts'
import { emit } from './emit.ts'
import { holdLeases } from './engines/postgres-leases.ts'
import { eventsMigrations } from './index.ts'
import { groupsOf } from './plan.ts'
import { type EventsRuntime, startEvents } from './runtime.ts'
import type { LoggedEvent } from './segment.ts'
import { Sequencer } from './sequencer.ts'
import { Tail } from './tail.ts'
import { GroupWorker } from './worker.ts'
import { writtenSegments } from './written.ts'

const Tick = event('test.tick', 1, z.object({ serial: z.int() }), { key: (tick) => tick.serial })
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index)

describe('a drain that commits but whose answer is lost', () => {
  let started: TestCluster
  let home: Shard
  let runtime: EventsRuntime | undefined

  before(async () => {
    started = await startTestCluster({ shards: 1, migrations: [systemMigrations, eventsMigrations] })
    home = started.cluster.home
  })
  after(() => started?.stop())
  beforeEach(async () => {
    await home.query('TRUNCATE groundswell.outbox, groundswell.log_segment, groundswell.log_head')
    await home.query('TRUNCATE groundswell.consumer_position, groundswell.parked_event, groundswell.lease')
  })
  afterEach(async () => {
    await runtime?.stop({ deadlineAtMs: Date.now() + 5_000 })
    runtime = undefined
  })

  const write = (...serials: number[]) =>
    home.transaction(async (tx) => {
      for (const serial of serials) emit(tx, Tick, { serial }, newContext())
    })

  /** The shard, except that the drain that moves an event for which `loses` says so is answered by an error. */
  const lossy = (loses: () => boolean, onLost: () => Promise<void> = async () => {}): Shard => ({
    index: home.index,
    label: home.label,
    transaction: (run) => home.transaction(run),
    write: (operation, input) => home.write(operation, input),
    query: async (text, values) => {
      const rows = await home.query(text, values)
      if (!text.includes('DELETE FROM groundswell.outbox') || rows.length === 0 || !loses()) return rows as never
      await onLost()
      throw new Error('the connection broke after the commit')
    },
  })

  const clusterOf = (shard: Shard): OpenCluster =>
    new Proxy(started.cluster, {
      get: (cluster, name) => {
        if (name === 'shards') return [shard]
        if (name === 'home') return shard
        if (name === 'forBucket') return () => shard
        const value: unknown = Reflect.get(cluster, name, cluster)
        return typeof value === 'function' ? value.bind(cluster) : value
      },
    })

  test('loses no event for a group that is ahead of another', async () => {
    const seen = { ahead: [] as number[], behind: [] as number[] }
    const held = Promise.withResolvers<void>()
    const consumer = (into: number[], ready: Promise<void>): ConsumerDeclaration =>
      onBatch(Tick, async (deliveries, { tx }) => {
        await ready
        await tx.query('SELECT 1')
        into.push(...deliveries.map((delivery) => delivery.event.payload.serial))
      })
    let losing = false
    const shard = lossy(
      () => losing,
      async () => {
        losing = false
        await write(6, 7)
      },
    )
    runtime = await startEvents({
      cluster: clusterOf(shard),
      groups: [
        { name: 'ahead', consumers: [consumer(seen.ahead, Promise.resolve())] },
        { name: 'behind', consumers: [consumer(seen.behind, held.promise)] },
      ],
      owner: 'test',
      sequence: true,
    })
    await write(0, 1, 2)
    await until(() => seen.ahead.length === 3)
    losing = true
    await write(3, 4, 5)
    await until(() => seen.ahead.includes(7), { what: 'the last event' })
    held.resolve()
    await until(() => seen.behind.includes(7), { what: 'the last event for the slow group' })
    assert.deepEqual(seen, { ahead: range(0, 8), behind: range(0, 8) })
  })

  test('leaves no reader with the answer that nothing is new', async () => {
    const tail = new Tail()
    tail.join('readers', [Tick.name])
    tail.prime(new Map())
    const [lease] = await holdLeases(home, 'test', { names: ['sequencer'], leaseMs: 60_000 })
    let losing = true
    const heads: ReadonlyMap<string, number>[] = []
    const sequencer = new Sequencer({
      shard: lossy(() => {
        const now = losing
        losing = false
        return now
      }),
      owner: 'test',
      epoch: lease?.epoch ?? 0,
      others: () => false,
      onAppend: (segments) => void tail.append(segments),
      onUncertain: () => tail.clear(),
      onHeads: (read) => {
        heads.push(read)
        tail.prime(read)
      },
    })
    await write(0, 1)
    await until(() => heads.length > 0, { what: 'the heads read again' })
    assert.deepEqual(heads, [new Map([[Tick.name, 2]])])
    assert.equal(tail.read('readers', Tick.name, { offset: 0, max: 10 }), undefined, 'the log must be asked')
    await write(2)
    await until(() => tail.read('readers', Tick.name, { offset: 2, max: 10 })?.length === 1)
    await sequencer.stop()
  })

  test('a worker reads from the log what its tail skips', async () => {
    /** Memory that has lost what it was asked for. */
    class Holed extends Tail {
      override read(...asked: Parameters<Tail['read']>): LoggedEvent[] | undefined {
        return super.read(...asked)?.slice(1)
      }
    }
    const seen: number[] = []
    const consumer = onBatch(Tick, async (deliveries, { tx }) => {
      await tx.query('SELECT 1')
      seen.push(...deliveries.map((delivery) => delivery.event.payload.serial))
    })
    const [group] = groupsOf([{ name: 'group', consumers: [consumer] }])
    const [lease] = await holdLeases(home, 'test', { names: ['sequencer'], leaseMs: 60_000 })
    const tail = new Holed()
    tail.join('group', [Tick.name])
    tail.prime(new Map())
    const sequencer = new Sequencer({
      shard: home,
      owner: 'test',
      epoch: lease?.epoch ?? 0,
      others: () => false,
      onAppend: (segments) => void tail.append(segments),
      onUncertain: () => tail.clear(),
      onHeads: (heads) => tail.prime(heads),
    })
    await write(0, 1, 2)
    await until(() => tail.read('group', Tick.name, { offset: 0, max: 10 })?.length === 2)
    const worker = new GroupWorker({
      cluster: started.cluster,
      source: home,
      group: group ?? assert.fail(),
      tail,
      retry: { attemptsMax: 1, backoff: { minMs: 0, maxMs: 0 } },
    })
    await until(() => seen.includes(2))
    await worker.stop()
    await sequencer.stop()
    assert.deepEqual(seen, [0, 1, 2])
  })
})

describe('a sequencer that has emptied the outbox', () => {
  let started: TestCluster
  let home: Shard

  before(async () => {
    started = await startTestCluster({ shards: 1, migrations: [systemMigrations, eventsMigrations] })
    home = started.cluster.home
  })
  after(() => started?.stop())

  const write = () => home.transaction(async (tx) => emit(tx, Tick, { serial: 1 }, newContext()))

  /** Milliseconds from the drain that takes the one event that waits to the third look after it. */
  const lookingAgainMs = async (hasReaders = false): Promise<{ takenMs: number; notices: number }> => {
    const lookedAtMs: number[] = []
    let notices = 0
    let others = false
    const shard: Shard = {
      index: home.index,
      label: home.label,
      transaction: (run) => home.transaction(run),
      write: (operation, input) => home.write(operation, input),
      query: (text, values) => {
        if (text.includes('DELETE FROM groundswell.outbox')) lookedAtMs.push(performance.now())
        else if (text.includes('pg_notify')) notices += 1
        return home.query(text, values)
      },
    }
    const [lease] = await holdLeases(home, 'test', { names: ['sequencer'], leaseMs: 60_000 })
    const sequencer = new Sequencer({
      shard,
      owner: 'test',
      epoch: lease?.epoch ?? 0,
      others: () => others,
      // A reader comes when the drain is over, which has told nobody.
      onAppend: () => {
        others = hasReaders
      },
      onUncertain: () => assert.fail(),
      onHeads: () => assert.fail(),
    })
    await until(() => lookedAtMs.length >= 4, { what: 'the third look' })
    await sequencer.stop()
    return { takenMs: (lookedAtMs[3] ?? 0) - (lookedAtMs[0] ?? 0), notices }
  }

  test('looks again soon after events of another process, and tells its readers soon, but waits for its own', async () => {
    await write()
    const own = await lookingAgainMs()
    assert.equal(own.notices, 0)
    await write()
    const told = await lookingAgainMs(true)
    assert.equal(told.notices, 1)
    await write()
    // As if another process had written it.
    writtenSegments.forget(home.index, [...writtenSegments.of(home.index).keys()])
    const foreign = await lookingAgainMs()
    const least = `${own.takenMs} ms, ${told.takenMs} ms and ${foreign.takenMs} ms`
    assert.ok(own.takenMs > 2 * told.takenMs && own.takenMs > 2 * foreign.takenMs, least)
  })
})
