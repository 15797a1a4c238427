/**
 * The bodies of what the gateway answers by itself, in Kong's words and formats.
 * Source: Kong 3.9, `kong/pdk/response.lua` and `kong/error_handlers.lua`.
 */
export type ExitBody = { readonly contentType: string; readonly body: string }

type Format = 'json' | 'html' | 'xml' | 'plain' | 'grpc'

const CONTENT_TYPES: Readonly<Record<Format, string>> = {
  json: 'application/json; charset=utf-8',
  html: 'text/html; charset=utf-8',
  xml: 'application/xml; charset=utf-8',
  plain: 'text/plain; charset=utf-8',
  grpc: 'application/grpc',
}

const FORMATS = new Map<string, Format>([
  ['*/*', 'json'],
  ['application/*', 'json'],
  ['application/json', 'json'],
  ['text/html', 'html'],
  ['application/xml', 'xml'],
  ['text/plain', 'plain'],
  ['text/*', 'plain'],
  ['application/grpc', 'grpc'],
])

const MEDIA_RANGE = /^\s*([\w!#$&^.+*-]+\/[\w!#$&^.+*-]+)\s*(?:;(.*))?$/
const QUALITY = /(?:^|;)\s*q\s*=\s*(1(?:\.0{0,3})?|0(?:\.\d{0,3})?)\s*(?:;|$)/i

/** The body of an error in the format that `accept` prefers, JSON when it says nothing that is known. */
export function exitBody(accept: string | undefined, message: string, requestId: string): ExitBody {
  const format = accept === undefined || accept === '*/*' ? 'json' : formatOf(accept)
  return { contentType: CONTENT_TYPES[format], body: render(format, message, requestId) }
}

/**
 * What stands in for Accept where nginx makes the answer: a missing one falls back to the request's own type, then to
 * text.
 */
export function acceptOfUpstreamError(accept: string | undefined, contentType: string | undefined): string {
  return accept ?? contentType ?? 'text/plain'
}

function formatOf(accept: string): Format {
  let best: Format = 'json'
  let bestQuality = 0
  for (const range of accept.split(',')) {
    const match = MEDIA_RANGE.exec(range)
    if (match === null) continue
    const quality = Number(QUALITY.exec(match[2] ?? '')?.[1] ?? 1)
    if (quality <= bestQuality) continue
    bestQuality = quality
    best = FORMATS.get((match[1] ?? '').toLowerCase()) ?? 'json'
  }
  return best
}

function render(format: Format, message: string, requestId: string): string {
  switch (format) {
    case 'json':
      return `{\n  "message":${JSON.stringify(message)},\n  "request_id":"${requestId}"\n}`
    case 'html':
      return html(escapeMarkup(message), requestId)
    case 'xml':
      return xml(escapeMarkup(message), requestId)
    case 'plain':
      return `${message}\nrequest_id: ${requestId}\n`
    case 'grpc':
      return ''
  }
}

function html(message: string, requestId: string): string {
  return `<!doctype html>
<html>
  <head>
    <meta charset="utf-8">
    <title>Error</title>
  </head>
  <body>
    <h1>Error</h1>
    <p>${message}.</p>
    <p>request_id: ${requestId}</p>
  </body>
</html>
`
}

function xml(message: string, requestId: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>
<error>
  <message>${message}</message>
  <requestid>${requestId}</requestid>
</error>
`
}

function escapeMarkup(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
