import type { Lifecycle } from '../../core/index.ts'
import type { Span, TelemetryView } from '../view.ts'
import { ERROR_SPANS_PER_SECOND, SPAN_TEXT_CHARS_MAX, SPANS_SHARED_EVERY_MS, SPANS_SHARED_MAX } from './limits.ts'
import { createSampler } from './sampler.ts'
import { decodeSpans, encodeSpans } from './span-codec.ts'
import { TraceStore } from './store.ts'

export type TracesOptions = {
  /** Tells the other processes of the application, at most once a second; absent where there are none. */
  readonly share?: (payload: Uint8Array) => void
  /** Further takers of each span of this process, such as an exporter. Must not throw. */
  readonly exporters?: readonly ((span: Span) => void)[]
}

export type TracesStats = {
  /** Spans of this process that were kept, at least until their trace made room. */
  readonly spansKept: number
  /** Spans that found their trace full. */
  readonly spansDropped: number
  /** Spans that the other processes were not told of, because there were too many in one second. */
  readonly spansUnshared: number
}

/** The traces of this process, and of the others as far as they told. */
export type Traces = Lifecycle &
  Pick<TelemetryView, 'traces' | 'trace'> & {
    /** A span has ended whose trace is kept. */
    record(span: Span): void
    /**
     * Something failed whose trace is not kept: the one span is, unless too many failed in this second. It is only
     * made if it is kept.
     */
    recordError(make: () => Span): void
    /** What another process shared. */
    receive(payload: Uint8Array): void
    stats(): TracesStats
  }

export function createTraces(options: TracesOptions = {}): Traces {
  return new LocalTraces(options)
}

class LocalTraces implements Traces {
  readonly #options: TracesOptions
  readonly #store = new TraceStore()
  readonly #mayKeepError = createSampler(ERROR_SPANS_PER_SECOND)
  #unshared: Span[] = []
  #spansKept = 0
  #spansUnshared = 0
  #timer: NodeJS.Timeout | undefined

  constructor(options: TracesOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    if (this.#options.share !== undefined) {
      this.#timer ??= setInterval(() => this.#share(), SPANS_SHARED_EVERY_MS).unref()
    }
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#share()
  }

  record(given: Span): void {
    const span = { ...given, attributes: shortened(given.attributes) }
    this.#spansKept += 1
    this.#store.add(span)
    for (const take of this.#options.exporters ?? []) take(span)
    if (this.#options.share === undefined) return
    if (this.#unshared.length < SPANS_SHARED_MAX) this.#unshared.push(span)
    else this.#spansUnshared += 1
  }

  recordError(make: () => Span): void {
    if (this.#mayKeepError()) this.record(make())
  }

  receive(payload: Uint8Array): void {
    for (const span of decodeSpans(payload)) this.#store.add(span)
  }

  traces(limit: number) {
    return this.#store.list(limit)
  }

  trace(traceId: string): readonly Span[] {
    return this.#store.spans(traceId)
  }

  stats(): TracesStats {
    const { spansDropped } = this.#store
    return { spansKept: this.#spansKept, spansDropped, spansUnshared: this.#spansUnshared }
  }

  #share(): void {
    if (this.#unshared.length === 0) return
    const payload = encodeSpans(this.#unshared)
    this.#unshared = []
    this.#options.share?.(payload)
  }
}

function shortened(attributes: Span['attributes']): Span['attributes'] {
  const isLong = (value: unknown) => typeof value === 'string' && value.length > SPAN_TEXT_CHARS_MAX
  if (!Object.values(attributes).some(isLong)) return attributes
  const short = Object.entries(attributes).map(([name, value]) => {
    return [name, isLong(value) ? `${String(value).slice(0, SPAN_TEXT_CHARS_MAX - 1)}…` : value]
  })
  return Object.fromEntries(short) as Span['attributes']
}
