/**
 * Operating errors. Every folder declares its own in `errors.ts` with {@link defineErrors}; docs/errors.md lists them
 * all and a test compares the two. Programmer errors are assertions instead, and expected outcomes are return values.
 */
export type ErrorSpec = {
  /** HTTP status when the error reaches a client. */
  readonly status: number
  /** Whether the same call may succeed later without anyone changing anything. */
  readonly retryable: boolean
  /** What it means and what to do, one sentence, for docs/errors.md. */
  readonly remedy: string
}

export type ErrorOptions = {
  readonly details?: Readonly<Record<string, unknown>>
  readonly cause?: unknown
}

/**
 * An operating error: `code` is stable and documented, `message` says what happened, with which value, and what to do.
 */
export class GroundswellError extends Error {
  override readonly name = 'GroundswellError'
  readonly code: string
  readonly status: number
  readonly retryable: boolean
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: string, message: string, spec: ErrorSpec, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.status = spec.status
    this.retryable = spec.retryable
    this.details = options.details ?? {}
  }
}

const registry = new Map<string, ErrorSpec>()

/**
 * Declares a folder's errors and returns a maker for them: `const dataError = defineErrors({ DATA_X: { … } })`, then
 * `throw dataError('DATA_X', 'what happened …', { details, cause })`. A code declared twice is a programmer error.
 */
export function defineErrors<const Specs extends Readonly<Record<string, ErrorSpec>>>(specs: Specs) {
  for (const [code, spec] of Object.entries(specs)) {
    if (registry.has(code)) throw new Error(`error code ${code} is declared twice`)
    registry.set(code, spec)
  }
  return (code: keyof Specs & string, message: string, options?: ErrorOptions): GroundswellError => {
    const spec = specs[code]
    if (spec === undefined) throw new Error(`error code ${code} is not declared`)
    return new GroundswellError(code, message, spec, options)
  }
}

/** Every declared error by code, for docs/errors.md and its test. */
export function declaredErrors(): ReadonlyMap<string, ErrorSpec> {
  return registry
}

/** Whether `error` may go away by itself. Unknown errors count as lasting. */
export function isRetryable(error: unknown): boolean {
  return error instanceof GroundswellError && error.retryable
}

/** A message for people from anything that was thrown. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(messageOf).join('; ')
  return error instanceof Error ? error.message : String(error)
}
