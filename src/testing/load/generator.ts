import { connect } from 'node:net'
import { messageOf } from '../../core/index.ts'
import { Histogram } from '../../telemetry/index.ts'
import { loadError } from './errors.ts'
import type { Answer } from './http-answer.ts'
import { createHttpClient, type Ticket } from './http-client.ts'
import {
  CONNECTIONS_DEFAULT,
  CONNECTIONS_MAX,
  DURATION_MS_MAX,
  FAILURE_KINDS_MAX,
  LATENESS_P99_MS_MAX,
  RATE_MAX,
  RATE_MIN,
  SWEEP_INTERVAL_MS,
  TICK_MS,
  TIMEOUT_MS_DEFAULT,
} from './limits.ts'
import { type LoadProgress, type LoadReport, latencyReport } from './report.ts'
import { createRequestWriter } from './request-text.ts'
import type { LoadRequest } from './scenario.ts'
import { type Arrivals, createSchedule } from './schedule.ts'

export type LoadOptions = {
  /** Base URL, http:// only. */
  readonly url: string
  readonly arrivals: Arrivals
  /** The `n`th request, from 0. */
  readonly request: (n: number) => LoadRequest
  /** What is wrong with the `n`th answer, or undefined. Without it a status of 200..399 is right. */
  readonly verify?: (answer: Answer, n: number) => string | undefined
  /** Most requests unanswered at once, each on its own connection. Default 1,000. */
  readonly connectionsMax?: number
  /** From being sent to the whole answer. Default 10 s. */
  readonly timeoutMs?: number
  /** Called every second. */
  readonly onProgress?: (progress: LoadProgress) => void
  /** Stops sending; what is on its way is waited for. */
  readonly signal?: AbortSignal
}

/**
 * Sends requests when they are due, whatever the answers do (an open loop), and measures each from the time it was
 * due: a stall of the system, or of this generator, shows in the latency of every request that it delayed.
 * Throws LOAD_OPTIONS_INVALID, or LOAD_TARGET_UNREACHABLE when nothing listens at the start.
 */
export async function runLoad(options: LoadOptions): Promise<LoadReport> {
  const url = checkOptions(options)
  const port = Number(url.port || 80)
  const address = await reach(url.hostname.replace(/^\[|\]$/g, ''), port)
  return new Promise((resolve, reject) => {
    const run = new LoadRun(options, { host: url.host, basePath: url.pathname.replace(/\/$/, ''), address, port })
    run.start(resolve, reject)
  })
}

type Target = { readonly host: string; readonly basePath: string; readonly address: string; readonly port: number }

/**
 * One run: sending (the schedule has requests left) → draining (answers are awaited) → done. A scenario's function that
 * throws ends the run with its error.
 */
class LoadRun {
  readonly #options: LoadOptions
  readonly #basePath: string
  readonly #schedule: ReturnType<typeof createSchedule>
  readonly #write: ReturnType<typeof createRequestWriter>
  readonly #client: ReturnType<typeof createHttpClient>
  readonly #timeoutMs: number
  readonly #latency = new Histogram()
  readonly #latencyOfSecond = new Histogram()
  readonly #lateness = new Histogram()
  readonly #statuses = new Map<number, number>()
  readonly #failures = new Map<string, number>()
  readonly #cpuAtStart = process.cpuUsage()
  #startedAtMs = 0
  #lastAnswerAtMs = 0
  #asked = 0
  #succeeded = 0
  #failed = 0
  #dropped = 0
  #timer: NodeJS.Timeout | undefined
  #sweeper: NodeJS.Timeout | undefined
  #reporter: NodeJS.Timeout | undefined
  #finished = false
  #resolve: (report: LoadReport) => void = () => {}
  #reject: (error: unknown) => void = () => {}

  constructor(options: LoadOptions, target: Target) {
    this.#options = options
    this.#basePath = target.basePath
    this.#schedule = createSchedule(options.arrivals)
    this.#write = createRequestWriter(target.host)
    this.#timeoutMs = options.timeoutMs ?? TIMEOUT_MS_DEFAULT
    this.#client = createHttpClient({
      address: target.address,
      port: target.port,
      connectionsMax: options.connectionsMax ?? CONNECTIONS_DEFAULT,
      onAnswer: (ticket, answer) => this.#guard(() => this.#answered(ticket, answer)),
      onFailure: (ticket, reason) => this.#guard(() => this.#unanswered(ticket, reason)),
    })
  }

  start(resolve: (report: LoadReport) => void, reject: (error: unknown) => void): void {
    this.#resolve = resolve
    this.#reject = reject
    this.#startedAtMs = performance.now()
    this.#sweeper = setInterval(() => {
      const nowMs = performance.now()
      this.#client.sweep(nowMs, nowMs - this.#timeoutMs)
    }, SWEEP_INTERVAL_MS)
    this.#reporter = setInterval(() => this.#guard(() => this.#report()), 1000)
    this.#tick()
  }

  #tick(): void {
    this.#guard(() => {
      const nowMs = performance.now()
      while (this.#startedAtMs + this.#schedule.nextAtMs() <= nowMs && !this.#options.signal?.aborted) this.#send(nowMs)
      const waitMs = this.#nextWaitMs(nowMs)
      if (waitMs === undefined) return this.#finishWhenDrained()
      this.#timer = setTimeout(() => this.#tick(), waitMs)
    })
  }

  #nextWaitMs(nowMs: number): number | undefined {
    const nextAtMs = this.#schedule.nextAtMs()
    if (nextAtMs === Number.POSITIVE_INFINITY || this.#options.signal?.aborted) return undefined
    // A long wait is cut short so that an abort is noticed.
    return Math.min(SWEEP_INTERVAL_MS, Math.max(TICK_MS, Math.ceil(this.#startedAtMs + nextAtMs - nowMs)))
  }

  #send(nowMs: number): void {
    const dueAtMs = this.#startedAtMs + this.#schedule.nextAtMs()
    const n = this.#asked
    this.#schedule.advance()
    this.#asked += 1
    this.#lateness.record((nowMs - dueAtMs) * 1000)
    const request = this.#options.request(n)
    const text = this.#write(this.#basePath === '' ? request : { ...request, path: this.#basePath + request.path })
    if (!this.#client.send(text, { n, dueAtMs, sentAtMs: nowMs })) this.#dropped += 1
  }

  #answered(ticket: Ticket, answer: Answer): void {
    this.#lastAnswerAtMs = performance.now()
    this.#statuses.set(answer.status, (this.#statuses.get(answer.status) ?? 0) + 1)
    const problem = this.#problemOf(answer, ticket.n)
    if (problem === undefined) {
      this.#succeeded += 1
      this.#recordLatency(ticket)
    } else {
      this.#fail(problem)
    }
    this.#finishWhenDrained()
  }

  #problemOf(answer: Answer, n: number): string | undefined {
    if (this.#options.verify !== undefined) return this.#options.verify(answer, n)
    return answer.status >= 200 && answer.status < 400 ? undefined : `status ${answer.status}`
  }

  #unanswered(ticket: Ticket, reason: string): void {
    this.#lastAnswerAtMs = performance.now()
    // A timeout is the longest latency there was: leaving it out would flatter the tail.
    if (reason === 'timeout') this.#recordLatency(ticket)
    this.#fail(reason)
    this.#finishWhenDrained()
  }

  #recordLatency(ticket: Ticket): void {
    const micros = (this.#lastAnswerAtMs - ticket.dueAtMs) * 1000
    this.#latency.record(micros)
    this.#latencyOfSecond.record(micros)
  }

  #fail(reason: string): void {
    this.#failed += 1
    const kind = this.#failures.has(reason) || this.#failures.size < FAILURE_KINDS_MAX ? reason : 'other'
    this.#failures.set(kind, (this.#failures.get(kind) ?? 0) + 1)
  }

  #report(): void {
    this.#options.onProgress?.({
      elapsedMs: performance.now() - this.#startedAtMs,
      asked: this.#asked,
      succeeded: this.#succeeded,
      failed: this.#failed,
      dropped: this.#dropped,
      inFlight: this.#client.inFlight,
      p99Ms: this.#latencyOfSecond.quantile(0.99) / 1000,
    })
    this.#latencyOfSecond.reset()
  }

  #finishWhenDrained(): void {
    const sending = this.#schedule.nextAtMs() !== Number.POSITIVE_INFINITY && !this.#options.signal?.aborted
    if (sending || this.#client.inFlight > 0 || this.#finished) return
    this.#stop()
    this.#resolve(this.#finalReport())
  }

  #stop(): void {
    this.#finished = true
    clearTimeout(this.#timer)
    clearInterval(this.#sweeper)
    clearInterval(this.#reporter)
    this.#client.close()
  }

  #guard(run: () => void): void {
    try {
      run()
    } catch (error) {
      if (this.#finished) return
      this.#stop()
      this.#reject(error)
    }
  }

  #finalReport(): LoadReport {
    const { arrivals } = this.#options
    const elapsedMs = Math.max(1, this.#lastAnswerAtMs - this.#startedAtMs)
    const plannedMs = arrivals.kind === 'burst' || this.#options.signal?.aborted ? elapsedMs : arrivals.durationMs
    const cpu = process.cpuUsage(this.#cpuAtStart)
    const latenessP99Ms = Math.round(this.#lateness.quantile(0.99) / 10) / 100
    return {
      asked: this.#asked,
      rateAsked: round((this.#asked * 1000) / plannedMs),
      succeeded: this.#succeeded,
      // Until the last answer: a system that falls behind does not get credit for what it owes.
      rateAchieved: round((this.#succeeded * 1000) / Math.max(elapsedMs, plannedMs)),
      failed: this.#failed,
      dropped: this.#dropped,
      statuses: Object.fromEntries([...this.#statuses].sort(([a], [b]) => a - b)),
      failures: Object.fromEntries(this.#failures),
      latencyMs: latencyReport(this.#latency),
      elapsedMs: round(elapsedMs),
      generator: {
        latenessP99Ms,
        cpuPerRequestMicros: round((cpu.user + cpu.system) / Math.max(1, this.#asked)),
        saturated: this.#dropped > 0 || latenessP99Ms > LATENESS_P99_MS_MAX,
      },
    }
  }
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}

function checkOptions(options: LoadOptions): URL {
  const { arrivals, connectionsMax = CONNECTIONS_DEFAULT, timeoutMs = TIMEOUT_MS_DEFAULT } = options
  const bounds: readonly Bound[] = [
    ...(arrivals.kind === 'burst'
      ? [{ name: 'burst', value: arrivals.count, min: 1, max: CONNECTIONS_MAX }]
      : [
          { name: 'rate', value: arrivals.rate, min: RATE_MIN, max: RATE_MAX },
          { name: 'duration in ms', value: arrivals.durationMs, min: 1, max: DURATION_MS_MAX },
        ]),
    { name: 'connections', value: connectionsMax, min: 1, max: CONNECTIONS_MAX },
    { name: 'timeout in ms', value: timeoutMs, min: 1, max: DURATION_MS_MAX },
  ]
  const problems = bounds
    .filter(({ value, min, max }) => !(value >= min && value <= max))
    .map(({ name, value, min, max }) => `${name} is ${value}, must be ${min}..${max}`)
  const url = URL.parse(options.url)
  if (url === null || url.protocol !== 'http:') problems.push(`url "${options.url}" must begin with http://`)
  if (problems.length > 0 || url === null) throw loadError('LOAD_OPTIONS_INVALID', problems.join('; '))
  return url
}

type Bound = { readonly name: string; readonly value: number; readonly min: number; readonly max: number }

/** The address that answers for a host name, found once by connecting. */
function reach(hostname: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port })
    socket.once('connect', () => {
      const address = socket.remoteAddress ?? hostname
      socket.destroy()
      resolve(address)
    })
    socket.once('error', (cause) => {
      reject(
        loadError(
          'LOAD_TARGET_UNREACHABLE',
          `nothing answers at ${hostname}:${port} (${messageOf(cause)}): start the application, or give its --url`,
          { cause },
        ),
      )
    })
  })
}
