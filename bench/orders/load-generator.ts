import { fileURLToPath } from 'node:url'
import { Pool } from 'undici'
import { runLoad } from '../../src/testing/index.ts'
import type { Started } from '../command/command.ts'
import { startNode } from '../command/processes.ts'
import { type Spread, spreadOf } from '../command/spread.ts'

/**
 * What does a request cost the load generator, compared with undici? Both send the same orders at the same rate to a
 * bare node:http server in another process, taking turns; CPU time of this process per request, kernel included.
 */
export async function measureGenerator(settings: Settings, started: Started): Promise<GeneratorResult> {
  const server = await started.add(startNode([fileURLToPath(new URL('bare-server.ts', import.meta.url))], {}))
  const url = server.find(/^ready (http\S+)/m)
  const ours: number[] = []
  const theirs: number[] = []
  for (let round = 0; round < settings.rounds; round++) {
    ours.push(await cpuOf(settings, () => sendOurs(url, settings)))
    theirs.push(await cpuOf(settings, () => sendByUndici(url, settings)))
  }
  const { rate, seconds, rounds } = settings
  return { microsPerRequest: { generator: spreadOf(ours), undici: spreadOf(theirs) }, rate, seconds, rounds }
}

type Settings = { readonly rate: number; readonly seconds: number; readonly rounds: number }

type GeneratorResult = Settings & { readonly microsPerRequest: Readonly<Record<'generator' | 'undici', Spread>> }

const HEADERS = { apikey: 'x'.repeat(32), 'content-type': 'application/json' }
const ANSWER = /^\{"orderId":"[0-9a-f-]{36}","status":"placed"\}$/

function orderOf(n: number): string {
  const order = { userId: (n % 200) + 1, lines: [{ sku: 'load-board-1', quantity: 1 }], cardToken: 'tok_visa' }
  return JSON.stringify(order)
}

/** CPU time per request in microseconds. */
async function cpuOf({ rate, seconds }: Settings, send: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage()
  await send()
  const { user, system } = process.cpuUsage(before)
  return Math.round(((user + system) / (rate * seconds)) * 10) / 10
}

async function sendOurs(url: string, { rate, seconds }: Settings): Promise<void> {
  const report = await runLoad({
    url,
    arrivals: { kind: 'fixed', rate, durationMs: seconds * 1_000 },
    request: (n) => ({ method: 'POST', path: '/orders', headers: HEADERS, body: orderOf(n) }),
    verify: ({ status, body }) => (status === 202 && ANSWER.test(body) ? undefined : `status ${status}`),
  })
  if (report.failed > 0) throw new Error(`the generator saw failures: ${JSON.stringify(report.failures)}`)
}

/** The same open loop on undici: due requests are sent each millisecond, over as many connections as it likes. */
async function sendByUndici(url: string, { rate, seconds }: Settings): Promise<void> {
  const pool = new Pool(url, { connections: 1_000, pipelining: 1 })
  const total = rate * seconds
  const startedAtMs = performance.now()
  const answers: Promise<void>[] = []
  while (answers.length < total) {
    const due = Math.min(total, Math.floor(((performance.now() - startedAtMs) * rate) / 1_000))
    while (answers.length < due) answers.push(sendOne(pool, answers.length))
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  await Promise.all(answers)
  await pool.close()
}

async function sendOne(pool: Pool, n: number): Promise<void> {
  const answer = await pool.request({ method: 'POST', path: '/orders', headers: HEADERS, body: orderOf(n) })
  const body = await answer.body.text()
  if (answer.statusCode !== 202 || !ANSWER.test(body)) throw new Error(`undici got ${answer.statusCode}: ${body}`)
}
