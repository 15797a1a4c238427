import { systemClock } from '../core/index.ts'
import { openCluster } from '../data/index.ts'
import { createTelemetry } from '../telemetry/index.ts'
import { exchangeOverHome } from './telemetry-exchange.ts'

/**
 * One process of an application that only measures: it records known latencies of one route, a fifth of them each
 * second, and tells the others. It ends when its standard input does.
 */
export type Samples = { readonly seed: number; readonly count: number; readonly medianMs: number }

export const SERVICE = 'order-service'
export const ROUTE = 'POST /orders'
const SECONDS = 5

/** The latencies that a process records, in milliseconds: log-normal, the same for the same seed. */
export function samplesOf({ seed, count, medianMs }: Samples): readonly number[] {
  let state = seed | 1
  const random = () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return ((state >>> 0) + 0.5) / 2 ** 32
  }
  // Source: G. Box, M. Muller, A Note on the Generation of Random Normal Deviates, 1958.
  const normal = () => Math.sqrt(-2 * Math.log(random())) * Math.cos(2 * Math.PI * random())
  return Array.from({ length: count }, () => medianMs * Math.exp(0.9 * normal()))
}

if (process.argv[1] === import.meta.filename) {
  const [url = '', instance = '', settings = '{}'] = process.argv.slice(2)
  await measure(url, { instance, samples: JSON.parse(settings) as Samples })
}

async function measure(url: string, { instance, samples }: { instance: string; samples: Samples }): Promise<void> {
  const cluster = await openCluster({ urls: [url], connectionsMax: 4, applicationName: 'groundswell-test' })
  const fail = (reason: string | undefined) => reason !== undefined && process.stderr.write(`${reason}\n`)
  const exchange = exchangeOverHome({ home: cluster.home, instance, onState: fail, onLost: () => fail('lost') })
  const telemetry = createTelemetry({ instance, services: [SERVICE], clock: systemClock, exchange, collects: false })
  const route = telemetry.route(SERVICE, ROUTE)
  const latencies = samplesOf(samples)
  let recorded = 0
  telemetry.beforeSeal(() => {
    const end = Math.min(latencies.length, recorded + Math.ceil(latencies.length / SECONDS))
    for (; recorded < end; recorded++) route.record(202, latencies[recorded] ?? 0)
  })
  telemetry.start()
  process.stdin.resume()
  await new Promise((resolve) => process.stdin.once('end', resolve))
  const deadline = { deadlineAtMs: systemClock.now() + 5_000 }
  await telemetry.stop()
  await exchange.stop(deadline)
  await cluster.close(deadline)
}
