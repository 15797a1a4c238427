import { z } from 'zod'
import { event, newContext, systemClock } from '../../src/core/index.ts'
import { type BatchWrite, openCluster, type Transaction } from '../../src/data/index.ts'
import { type BrokerUse, emit, eventsMigrations, onBatch, openBroker, startEvents } from '../../src/events/index.ts'
import { type EventEngine, startEventsServer } from '../command/broker.ts'
import { type ArmPlace, BUSINESS_TABLES, COUNT_EFFECTS, type EventsArm, INSERT_PLACED } from './arm.ts'

const Placed = event('bench.placed', 1, z.object({ id: z.int() }), { key: ({ id }) => id })

const INSERT_PLACED_TOGETHER = 'INSERT INTO business.placed (id) SELECT unnest($1::int[])'
const INSERT_EFFECTS_ONCE = 'INSERT INTO business.effect (id) SELECT unnest($1::int[])'

/** Concurrent requests of a shard share a transaction, as the shop's do. */
const placeTogether: BatchWrite<number, void> = {
  name: 'bench.place',
  run: async (tx, ids) => {
    void tx.query(INSERT_PLACED_TOGETHER, [ids])
    for (const id of ids) emit(tx, Placed, { id }, newContext())
    return ids.map(() => undefined)
  },
}

export type GroundswellArmOptions = {
  readonly name: string
  readonly commits: 'shared' | 'single'
  readonly events: EventEngine
}

/** Who reads, as the broker and the positions know it. */
const GROUP = 'bench'
const PARTITIONS = 12

/** The event log, in PostgreSQL or through a broker; each event has a commit, or requests share them. */
export async function startGroundswellArm(place: ArmPlace, options: GroundswellArmOptions): Promise<EventsArm> {
  const server = await startEventsServer(options.events)
  const cluster = await openCluster({ urls: [place.url], applicationName: 'bench' })
  await cluster.migrate([eventsMigrations])
  await cluster.loadDirectory()
  const shard = cluster.home
  for (const statement of BUSINESS_TABLES.split(';')) await shard.query(statement)
  const consumer = onBatch(Placed, async (deliveries, { tx }) => {
    const ids = deliveries.map(({ event }) => event.payload.id)
    void tx.query(INSERT_EFFECTS_ONCE, [ids])
    tx.afterCommit(() => ids.forEach(place.handled))
  })
  const broker = server.url === undefined ? undefined : await useBroker(server.url)
  const events = await startEvents({
    cluster,
    groups: [{ name: GROUP, consumers: [consumer] }],
    owner: 'bench',
    sequence: true,
    broker,
  })
  const placeAlone = (id: number) =>
    shard.transaction(async (tx: Transaction) => {
      void tx.query(INSERT_PLACED, [id])
      emit(tx, Placed, { id }, newContext())
    })
  return {
    name: options.name,
    produce: options.commits === 'shared' ? (id) => shard.write(placeTogether, id) : placeAlone,
    effects: async () => (await shard.query<{ count: number }>(COUNT_EFFECTS))[0]?.count ?? 0,
    stop: async () => {
      await events.stop({ deadlineAtMs: systemClock.now() + 10_000 })
      await broker?.engine.close()
      await cluster.close({ deadlineAtMs: systemClock.now() + 10_000 })
      await server.stop()
    },
  }
}

async function useBroker(url: string): Promise<BrokerUse> {
  const topics = [{ name: Placed.name, partitions: PARTITIONS, retentionMs: 3_600_000 }]
  const declaration = { topics, groups: [{ name: GROUP, topics: [Placed.name] }] }
  return { engine: await openBroker({ url, clientId: 'bench' }), declaration }
}
