import { STATUS_CODES } from 'node:http'
import type { z } from 'zod'
import type { EndpointSpec } from '../core/index.ts'

/** What a handler answers: a status, a body that JSON can hold, and headers if need be. */
export type Reply<Status extends number = number, Body = unknown> = {
  readonly status: Status
  readonly body: Body
  readonly headers?: Readonly<Record<string, string>>
}

/** A refusal as problem details (RFC 9457): made by {@link problem}, allowed from every handler. */
export type ProblemReply = Reply<number, Problem> & { readonly problem: true }

/** `code` is for machines and stable; `detail` is for people and names the value that does not fit. */
export type Problem = {
  readonly type: 'about:blank'
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: string
  /** Further members, e.g. `errors` with the path and message of every field. */
  readonly [extension: string]: unknown
}

/** The replies of an endpoint's contract, as a union over its statuses. */
export type RepliesOf<Spec extends EndpointSpec> = {
  [Status in keyof Spec['replies'] & number]: Reply<Status, BodyOf<Spec['replies'][Status]>>
}[keyof Spec['replies'] & number]

type BodyOf<Schema> = Schema extends z.ZodType ? z.output<Schema> : null | undefined

/** Answers with a status and a body: `reply(202, { orderId }, { location })`. */
export function reply<const Status extends number>(status: Status): Reply<Status, undefined>
export function reply<const Status extends number, const Body>(
  status: Status,
  body: Body,
  headers?: Readonly<Record<string, string>>,
): Reply<Status, Body>
export function reply(status: number, body?: unknown, headers?: Readonly<Record<string, string>>): Reply {
  return headers === undefined ? { status, body } : { status, body, headers }
}

/** Refuses: `problem(422, 'there is no product "x"', { code: 'PRODUCT_UNKNOWN' })`. */
export function problem(
  status: number,
  detail: string,
  members: { readonly code: string; readonly [extension: string]: unknown },
): ProblemReply {
  const title = STATUS_CODES[status] ?? `Status ${status}`
  return { status, problem: true, body: { type: 'about:blank', title, status, detail, ...members } }
}
