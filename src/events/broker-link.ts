import { delay, GroundswellError } from '../core/index.ts'
import type { BrokerUse } from './broker.ts'
import { workFailed } from './channels.ts'
import { backoffMs } from './pause.ts'

/**
 * Makes what the application needs on its broker. One that is away keeps nothing from starting, since events wait in
 * the log: it is asked again for as long as it takes, and until then nothing is published or read.
 */
export class BrokerLink {
  /** Settles when everything is there; rejects when stopped before. */
  readonly ready: Promise<void>
  private readonly stopping = new AbortController()
  private readonly firstTried = Promise.withResolvers<void>()
  readonly broker: BrokerUse
  private isDeclared = false

  constructor(broker: BrokerUse) {
    this.broker = broker
    this.ready = this.run()
    this.ready.catch(() => undefined)
  }

  /** Whether the broker has it all, after the first attempt. Throws EVENTS_BROKER_MISMATCH, or what will not pass. */
  async begun(): Promise<boolean> {
    await this.firstTried.promise
    return this.isDeclared
  }

  /** Whether the broker is known to have it all. */
  get isReady(): boolean {
    return this.isDeclared
  }

  stop(): void {
    this.stopping.abort()
  }

  private async run(): Promise<void> {
    for (let failures = 0; ; failures++) {
      try {
        await this.broker.engine.declare(this.broker.declaration)
        this.isDeclared = true
        this.firstTried.resolve()
        return
      } catch (error) {
        const mayPass = error instanceof GroundswellError && error.retryable
        if (failures === 0 && !mayPass) {
          this.firstTried.reject(error)
          throw error
        }
        const retryInMs = backoffMs(failures)
        workFailed.publish({ shard: -1, part: 'broker', error, retryInMs })
        this.firstTried.resolve()
        await delay(retryInMs, this.stopping.signal)
        if (this.stopping.signal.aborted) throw error
      }
    }
  }
}
