import { type Lifecycle, messageOf } from '../core/index.ts'
import type { MigrationSet, Shard } from '../data/index.ts'
import type { Exchange, ExchangeKind } from '../telemetry/index.ts'
import {
  EXCHANGE_KEPT_MS,
  EXCHANGE_OVERLAP_ROWS,
  EXCHANGE_POLL_MS,
  EXCHANGE_PURGE_MS,
  EXCHANGE_ROWS_MAX,
  EXCHANGE_WAITING_MAX,
} from './limits.ts'

/** The table of the exchange, on the home shard. */
export const runtimeMigrations: MigrationSet = {
  owner: 'groundswell.runtime',
  folder: new URL('./migrations/', import.meta.url),
  placement: 'home',
}

export type HomeExchangeOptions = {
  readonly home: Shard
  /** This process, whose own messages it does not receive. */
  readonly instance: string
  /** Told when messages cannot pass, with the reason, and `undefined` when they can again. */
  readonly onState: (reason: string | undefined) => void
  /** Told of each message that was dropped here. */
  readonly onLost: () => void
}

export type HomeExchange = Exchange & {
  /** Ends the polling and waits for what is under way. */
  stop: Lifecycle['stop']
}

type Message = { readonly kind: ExchangeKind; readonly payload: Uint8Array }
type Received = { readonly seq: number; readonly kind: string; readonly payload: Buffer }

const PUBLISH = `
  INSERT INTO groundswell.telemetry_exchange (instance, kind, payload)
  SELECT $1, * FROM unnest($2::text[], $3::bytea[])`
const READ = `
  SELECT seq, kind, payload FROM groundswell.telemetry_exchange
  WHERE seq > $1 AND instance <> $2 AND written_at > clock_timestamp() - $3 * interval '1 ms'
  ORDER BY seq LIMIT $4`
const PURGE = `
  DELETE FROM groundswell.telemetry_exchange WHERE written_at < clock_timestamp() - $1 * interval '1 ms'`
const END = 'SELECT coalesce(max(seq), 0) AS seq FROM groundswell.telemetry_exchange'

/**
 * The exchange over a table of the home shard: one small INSERT a second from each process, one SELECT a second by the
 * one that receives. At most one of each is under way; what comes meanwhile waits, EXCHANGE_WAITING_MAX messages at
 * most, and the oldest are dropped. While the database is away all are: telemetry is lost, the application is not.
 */
export function exchangeOverHome(options: HomeExchangeOptions): HomeExchange {
  const publisher = new Publisher(options)
  const receivers = new Set<Receiver>()
  return {
    publish: (kind, payload) => publisher.publish({ kind, payload }),
    receive(listener) {
      const receiver = new Receiver(options, listener)
      receivers.add(receiver)
      return () => {
        receivers.delete(receiver)
        void receiver.stop()
      }
    },
    async stop() {
      await Promise.all([publisher.stop(), ...[...receivers].map((receiver) => receiver.stop())])
    },
  }
}

class Publisher {
  private readonly options: HomeExchangeOptions
  private waiting: Message[] = []
  private underWay: Promise<void> | undefined
  private isStopped = false
  private purgeAtMs = 0

  constructor(options: HomeExchangeOptions) {
    this.options = options
  }

  publish(message: Message): void {
    if (this.isStopped) return
    this.waiting.push(message)
    if (this.waiting.length > EXCHANGE_WAITING_MAX) {
      this.waiting.shift()
      this.options.onLost()
    }
    this.underWay ??= this.send().finally(() => {
      this.underWay = undefined
    })
  }

  async stop(): Promise<void> {
    this.isStopped = true
    this.waiting = []
    await this.underWay
  }

  /** Never rejects. */
  private async send(): Promise<void> {
    const { home, instance, onState, onLost } = this.options
    while (this.waiting.length > 0) {
      const messages = this.waiting
      this.waiting = []
      try {
        const payloads = messages.map(({ payload }) => Buffer.from(payload))
        await home.query(PUBLISH, [instance, messages.map(({ kind }) => kind), payloads])
        await this.purge()
        onState(undefined)
      } catch (error) {
        for (const _ of messages) onLost()
        onState(messageOf(error))
      }
    }
  }

  /** Everybody does it now and then, so that nobody need be there for it. */
  private async purge(): Promise<void> {
    const nowMs = performance.now()
    if (nowMs < this.purgeAtMs) return
    this.purgeAtMs = nowMs + EXCHANGE_PURGE_MS
    await this.options.home.query(PURGE, [EXCHANGE_KEPT_MS])
  }
}

type Listener = (kind: ExchangeKind, payload: Uint8Array) => void

/**
 * Reads what is new. Numbers are given before rows are committed, so that a row may show up after one with a higher
 * number: each reading begins some rows before the last one's end, and skips those that it has had.
 */
class Receiver {
  private readonly options: HomeExchangeOptions
  private readonly listener: Listener
  private readonly seen = new Set<number>()
  private highest: number | undefined
  private timer: NodeJS.Timeout | undefined
  private round: Promise<void> = Promise.resolve()
  private isStopped = false

  constructor(options: HomeExchangeOptions, listener: Listener) {
    this.options = options
    this.listener = listener
    // At once: what is written from now on counts, not from the first round on.
    this.round = this.read().then(() => this.schedule())
  }

  async stop(): Promise<void> {
    this.isStopped = true
    clearTimeout(this.timer)
    await this.round
  }

  private schedule(): void {
    if (this.isStopped) return
    this.timer = setTimeout(() => {
      this.round = this.read().then(() => this.schedule())
    }, EXCHANGE_POLL_MS)
    this.timer.unref()
  }

  /** Never rejects. */
  private async read(): Promise<void> {
    const { home, instance, onState } = this.options
    try {
      this.highest ??= await this.end()
      const from = Math.max(0, this.highest - EXCHANGE_OVERLAP_ROWS)
      const rows = await home.query<Received>(READ, [from, instance, EXCHANGE_KEPT_MS, EXCHANGE_ROWS_MAX])
      if (!this.isStopped) for (const row of rows) this.take(row)
      for (const seq of this.seen) if (seq <= this.highest - EXCHANGE_OVERLAP_ROWS) this.seen.delete(seq)
      onState(undefined)
    } catch (error) {
      onState(messageOf(error))
    }
  }

  /** Where the table ends now: what is there already was for somebody before. */
  private async end(): Promise<number> {
    const [row] = await this.options.home.query<{ readonly seq: number }>(END)
    const seq = row?.seq ?? 0
    for (let known = Math.max(0, seq - EXCHANGE_OVERLAP_ROWS); known <= seq; known++) this.seen.add(known)
    return seq
  }

  private take({ seq, kind, payload }: Received): void {
    if (this.seen.has(seq)) return
    this.seen.add(seq)
    this.highest = Math.max(this.highest ?? 0, seq)
    // Another version of the application may publish kinds that this one does not know.
    if (kind === 'second' || kind === 'spans') this.listener(kind, payload)
  }
}
