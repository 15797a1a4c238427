import { delay, messageOf, preciseNow, systemClock } from '../core/index.ts'
import type { OpenCluster } from '../data/index.ts'
import { type BrokerUse, brokerLag, lag, leaseChanged, type PartitionLag } from '../events/index.ts'
import type { Telemetry } from '../telemetry/index.ts'
import { DeadLetterWatch } from './dead-letter-watch.ts'
import { showMissed } from './event-metrics.ts'
import { LagRates } from './lag-rates.ts'
import { LAG_POLL_MS, LAG_SILENCE_MS } from './limits.ts'

export type LagParts = {
  readonly cluster: OpenCluster
  readonly broker: BrokerUse | undefined
  readonly telemetry: Telemetry
  /** Whether to ask when no process tells any lag: true of the one with the console. */
  readonly standsIn: boolean
}

/**
 * Asks how far behind consumer groups are. One process of the application does: the one that holds the lease to
 * sequence the home shard, which is always one while events are delivered at all. When they are not, because those who
 * would are dead, the process with the console asks for itself, and goes on until another tells it again.
 */
export function pollLag(parts: LagParts): () => Promise<void> {
  const stopping = new AbortController()
  const startedAtMs = systemClock.now()
  let isOurs = false
  const unsubscribe = leaseChanged.subscribe(({ shard, name, held }) => {
    if (shard === 0 && name === 'sequencer') isOurs = held
  })
  const isSilent = () => systemClock.now() - Math.max(startedAtMs, parts.telemetry.lagToldAtMs()) > LAG_SILENCE_MS
  const rates = new LagRates()
  const deadLetters = new DeadLetterWatch(parts.cluster, parts.telemetry)
  const poll = async () => {
    let wasAsking = false
    while (!stopping.signal.aborted) {
      const asks = isOurs || (parts.standsIn && isSilent())
      if (asks) await readLag(parts, { rates, deadLetters, isToldOthers: isOurs })
      else if (wasAsking) forget(parts.telemetry, deadLetters)
      wasAsking = asks
      await delay(LAG_POLL_MS, stopping.signal)
    }
  }
  const polling = poll()
  return async () => {
    unsubscribe()
    stopping.abort()
    await polling
  }
}

const LAG = 'queue lag'
const BROKER_LAG = 'queue lag at the broker'

/** Another process asks from now on: what this one knew, and could not find out, is no longer its to tell. */
function forget(telemetry: Telemetry, deadLetters: DeadLetterWatch): void {
  deadLetters.forget()
  telemetry.lag([])
  telemetry.recovered(LAG)
  telemetry.recovered(BROKER_LAG)
}

/** Where two consoles stand in, each asks for itself: told of the other, both would stop, and begin again. */
type Reading = {
  readonly rates: LagRates
  readonly deadLetters: DeadLetterWatch
  readonly isToldOthers: boolean
}

/** Never rejects. */
async function readLag({ cluster, broker, telemetry }: LagParts, reading: Reading): Promise<void> {
  const { rates, deadLetters, isToldOthers } = reading
  try {
    await deadLetters.look(systemClock.now())
    const lags = await lag(cluster)
    showMissed(telemetry.metrics, lags)
    const partitions = broker === undefined ? [] : await lagAt(broker, cluster, telemetry)
    const behind = [...lags.map((row) => ({ ...row, messages: row.lag })), ...partitions]
    telemetry.lag(rates.samplesOf(behind, preciseNow()), { isToldOthers })
    telemetry.recovered(LAG)
  } catch (error) {
    telemetry.lag([])
    telemetry.degraded(LAG, `it cannot be asked for: ${messageOf(error)}`)
  }
}

/** While a broker is away, what waits to be forwarded is still known, and matters the more. */
async function lagAt(broker: BrokerUse, cluster: OpenCluster, telemetry: Telemetry): Promise<readonly PartitionLag[]> {
  try {
    const lags = await brokerLag(cluster, broker.engine)
    telemetry.recovered(BROKER_LAG)
    return lags
  } catch (error) {
    telemetry.degraded(BROKER_LAG, `what groups have to read from the broker is unknown: ${messageOf(error)}`)
    return []
  }
}
