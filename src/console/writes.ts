import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { consoleError } from './errors.ts'
import { WRITE_BYTES_MAX } from './limits.ts'

/**
 * A page of another origin in the same browser can send requests here, though it cannot read the answers. Browsers say
 * where a request comes from, in headers that pages cannot forge; what is no browser sends neither. Throws
 * CONSOLE_ORIGIN_REFUSED. Source: OWASP, Cross-Site Request Forgery Prevention, on Fetch Metadata.
 */
export function assertOwnPage({ headers }: IncomingMessage): void {
  const { origin, 'sec-fetch-site': site } = headers
  if ((site === undefined || site === 'same-origin') && isOwnOrigin(headers)) return
  throw consoleError('CONSOLE_ORIGIN_REFUSED', `a change from ${origin ?? `a ${site} page`} is refused`)
}

/**
 * `Host` is known to be this machine, so a name that was pointed here (DNS rebinding) is no origin of ours. Behind a
 * proxy that speaks TLS the page is `https:`, which cannot be told from another server's on the port that is not named
 * (`https://localhost` beside `http://localhost`): only with the word of the browser that both are one origin. What a
 * proxy says of it, such as `X-Forwarded-Proto`, is not asked: whoever reaches this port could say it.
 */
function isOwnOrigin({ origin, host, 'sec-fetch-site': site }: IncomingHttpHeaders): boolean {
  if (origin === undefined || origin === originOf('http', host)) return true
  return site === 'same-origin' && origin === originOf('https', host)
}

/** As browsers write it, without the port that goes without saying. */
function originOf(scheme: 'http' | 'https', host: string | undefined): string | undefined {
  return host === undefined ? undefined : URL.parse(`${scheme}://${host}`)?.origin
}

/**
 * The body, which must say that it is JSON: a form, which pages may send anywhere without asking, cannot. Throws
 * CONSOLE_BODY_NOT_JSON, CONSOLE_BODY_TOO_LARGE.
 */
export async function readJsonBody(request: IncomingMessage): Promise<unknown> {
  const type = request.headers['content-type'] ?? ''
  if (!/^application\/json\s*(?:;|$)/i.test(type)) {
    throw consoleError('CONSOLE_BODY_NOT_JSON', `Content-Type is "${type}": send application/json`)
  }
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > WRITE_BYTES_MAX) {
      throw consoleError('CONSOLE_BODY_TOO_LARGE', `the body has more than ${WRITE_BYTES_MAX} bytes`)
    }
    chunks.push(chunk)
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString()) as unknown
  } catch (cause) {
    throw consoleError('CONSOLE_BODY_NOT_JSON', 'the body is no JSON', { cause })
  }
}
