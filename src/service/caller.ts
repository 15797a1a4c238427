import type { z } from 'zod'
import { type Context, type Endpoint, type EndpointSpec, remainingMs } from '../core/index.ts'
import { serviceError } from './errors.ts'
import type { ServiceHost } from './host.ts'
import { unknownRoute } from './problem.ts'
import { createRemote, type Remote } from './remote.ts'
import type { RepliesOf } from './reply.ts'
import { type CallParts, encodeCall, type WireAnswer, type WireCall } from './wire.ts'

/**
 * Calls an endpoint of a service, wherever it runs: in this process its handler runs directly, else by HTTP within
 * the deadline and under the trace id of `context`. Both ways parse input and answer by the contract, so moving a
 * service changes nothing for what JSON can hold: that is what it becomes on the way between processes.
 *
 * Answers one of the statuses that the contract names. Throws SERVICE_CALL_REFUSED (another status below 500),
 * SERVICE_CALL_FAILED (500 and above), SERVICE_UNREACHABLE, SERVICE_DEADLINE_PASSED, SERVICE_REPLY_INVALID.
 */
export type Caller = <const Spec extends EndpointSpec>(
  endpoint: Endpoint<Spec>,
  input: CallInput<Spec>,
  context: Context,
) => Promise<RepliesOf<Spec>>

/** What a call sends: a value for every part that the endpoint declares. Query members may be left out. */
export type CallInput<Spec extends EndpointSpec> = InputPart<Spec, 'params'> &
  InputPart<Spec, 'query'> &
  InputPart<Spec, 'body'>

type InputPart<Spec extends EndpointSpec, Part extends 'params' | 'query' | 'body'> = Spec[Part] extends z.ZodType
  ? { readonly [Name in Part]: SentPart<Spec[Part], Part> }
  : unknown

/** Parameters and query travel as text: anything that prints. */
type SentPart<Schema extends z.ZodType, Part> = Part extends 'body'
  ? z.input<Schema>
  : Part extends 'params'
    ? { readonly [Name in keyof z.output<Schema>]: string | number }
    : { readonly [Name in keyof z.output<Schema>]?: string | number | undefined }

export type CallerOptions = {
  /** Services of this process by name. Read at each call, so that hosts may be added after. */
  readonly locals: ReadonlyMap<string, Pick<ServiceHost, 'invoke'>>
  /** Where another service runs: `http://host:port`. */
  readonly origin: (service: string) => string | undefined
}

/** Makes the function that services call each other with. */
export function createCaller(options: CallerOptions): Caller {
  const remote = createRemote()
  return async (endpoint, input, context) => {
    if (remainingMs(context) === 0) {
      throw serviceError('SERVICE_DEADLINE_PASSED', `no time was left to call ${describe(endpoint)}`)
    }
    const call = encodeCall(endpoint, input as CallParts, context)
    const answer = (await runHere(options, call)) ?? (await runElsewhere(options, remote, call))
    return parseAnswer(endpoint, answer) as RepliesOf<(typeof endpoint)['spec']>
  }
}

async function runHere(options: CallerOptions, call: WireCall): Promise<WireAnswer | undefined> {
  const host = options.locals.get(call.endpoint.service)
  if (host === undefined) return undefined
  const reply = await host.invoke(call.endpoint, call)
  // As the service would answer by HTTP: it is here, and has no route for this endpoint.
  return reply ?? unknownRoute(call.endpoint.path)
}

async function runElsewhere(options: CallerOptions, remote: Remote, call: WireCall): Promise<WireAnswer> {
  const origin = options.origin(call.endpoint.service)
  if (origin === undefined) {
    throw serviceError('SERVICE_ORIGIN_UNKNOWN', `no URL of ${call.endpoint.service} is known`)
  }
  return remote(origin, call)
}

function parseAnswer(endpoint: Endpoint, answer: WireAnswer): { status: number; body: unknown } {
  const { status, body } = answer
  const schema = endpoint.spec.replies[status]
  if (schema === undefined) throw unexpected(endpoint, answer)
  if (schema === null) return { status, body: null }
  const parsed = schema.safeParse(body)
  if (parsed.success) return { status, body: parsed.data }
  throw serviceError(
    'SERVICE_REPLY_INVALID',
    `${describe(endpoint)} answered ${status} with a body not of its contract`,
    {
      details: { status },
      cause: parsed.error,
    },
  )
}

function unexpected(endpoint: Endpoint, { status, body }: WireAnswer): Error {
  const details = { status, problem: body }
  if (status === 504) {
    return serviceError('SERVICE_DEADLINE_PASSED', `${describe(endpoint)} did not answer in time`, { details })
  }
  const code = status >= 500 ? 'SERVICE_CALL_FAILED' : 'SERVICE_CALL_REFUSED'
  return serviceError(code, `${describe(endpoint)} answered ${status}`, { details })
}

function describe(endpoint: Endpoint): string {
  return `${endpoint.service} ${endpoint.method} ${endpoint.path}`
}
