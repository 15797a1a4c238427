import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import type { Answer } from '../../src/gateway/gateway-fixture.ts'

/** What a service saw of a request. */
export type Seen = {
  readonly method: string
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** How a service is to answer, as the value of a request's `X-Answer`. */
export type Wanted = { readonly status?: number; readonly headers?: OutgoingHttpHeaders; readonly body?: string }

export const answerAs = (wanted: Wanted) => ({ 'X-Answer': JSON.stringify(wanted) })

/** A service that answers with what it was sent, or as `X-Answer` says. */
export function answerWithRequest(request: IncomingMessage, response: ServerResponse): void {
  text(request).then(
    (body) => {
      const { method = '', url = '', headers } = request
      const seen: Seen = { method, url, headers, body }
      const asked = headers['x-answer']
      const wanted = (typeof asked === 'string' ? JSON.parse(asked) : {}) as Wanted
      response.writeHead(wanted.status ?? 200, { 'Content-Type': 'application/json', ...wanted.headers })
      response.end(wanted.body ?? JSON.stringify(seen))
    },
    () => response.destroy(),
  )
}

export const seenBy = (answer: Answer) => JSON.parse(answer.body) as Seen
