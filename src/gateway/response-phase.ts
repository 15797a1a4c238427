import type { OutgoingHttpHeader } from 'node:http'
import { requestFailed } from './channels.ts'
import type { Exchange } from './exchange.ts'
import { type BodyFilter, HeaderList } from './response-head.ts'
import { type HeadersGiven, mergedHeaders, pairsOf } from './response-headers.ts'

/** What plugins do to responses, the same over HTTP/1.1 and HTTP/2. */
export type EditedHead = {
  readonly status: number
  /** Names and values in turn, to be sent. */
  readonly headers: string[]
  /** What the body flows through, the upstream's side first; undefined when nothing looks at it. */
  readonly filters: readonly BodyFilter[] | undefined
}

type GivenHead = {
  readonly status: number
  /** What was set before, names and values in turn. */
  readonly own: readonly OutgoingHttpHeader[]
  /** What replaces it, name by name. */
  readonly given: HeadersGiven | undefined
}

/** Adds the gateway's own headers, and lets plugins change the head. Once for each response. */
export function editHead(exchange: Exchange, { status, own, given }: GivenHead): EditedHead {
  const upstream = new HeaderList(own)
  const pairs = new HeaderList(given === undefined ? [] : pairsOf(given)).flat()
  for (const name of pairs.filter((_, index) => index % 2 === 0)) upstream.remove(name)
  for (let index = 0; index < pairs.length; index += 2) upstream.append(pairs[index] ?? '', pairs[index + 1] ?? '')
  const headers = new HeaderList(mergedHeaders(upstream.flat(), exchange))
  const head = { status, headers, upstream }
  const filters = (exchange.chain?.editors ?? []).flatMap((plugin) => plugin.response?.(exchange, head) ?? [])
  exchange.status = head.status
  return { status: head.status, headers: headers.flat(), filters: filters.length > 0 ? filters : undefined }
}

type FilteredResponse = { readonly exchange: Exchange | undefined; destroy(): unknown }

type BodyPart = {
  readonly filters: readonly BodyFilter[]
  readonly given: Buffer | undefined
  readonly isLast: boolean
}

/** What goes on to the client of one more part of a body. A filter that throws cuts the response off. */
export function filterBody(response: FilteredResponse, { filters, given, isLast }: BodyPart): Buffer | undefined {
  try {
    let chunk = given
    for (const filter of filters) {
      const parts = [chunk === undefined ? undefined : filter.write(chunk), isLast ? filter.end() : undefined]
      const passed = parts.filter((part) => part !== undefined)
      chunk = passed.length === 1 ? passed[0] : passed.length === 0 ? undefined : Buffer.concat(passed)
    }
    return chunk
  } catch (error) {
    const { requestId = '', traceparent } = response.exchange ?? {}
    requestFailed.publish({ requestId, traceparent, error })
    response.destroy()
    return undefined
  }
}

/** The chunk among the parameters of `write` and `end`. */
export function bufferOf([chunk, encoding]: readonly unknown[]): Buffer | undefined {
  if (typeof chunk === 'string') return Buffer.from(chunk, typeof encoding === 'string' ? (encoding as 'utf8') : 'utf8')
  return chunk instanceof Uint8Array ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length) : undefined
}

export function callbackOf(parameters: readonly unknown[]): (() => void) | undefined {
  return parameters.find((parameter) => typeof parameter === 'function') as (() => void) | undefined
}
