import type { RequestText } from './http-client.ts'
import type { LoadRequest } from './scenario.ts'

/**
 * Turns requests into HTTP/1.1 text. The head that requests share is made once per `headers` object, method and path.
 */
export function createRequestWriter(host: string): (request: LoadRequest) => RequestText {
  const fieldsOf = new WeakMap<object, string>()
  const commonFields = `Host: ${host}\r\n`

  function fields(headers: Readonly<Record<string, string>> | undefined): string {
    if (headers === undefined) return commonFields
    const known = fieldsOf.get(headers)
    if (known !== undefined) return known
    const text = commonFields + serializeFields(headers)
    fieldsOf.set(headers, text)
    return text
  }

  return ({ method, path, headers, body }) => {
    const head = `${method} ${path} HTTP/1.1\r\n${fields(headers)}`
    if (body === undefined)
      return { text: `${head}${method === 'GET' ? '' : 'Content-Length: 0\r\n'}\r\n`, encoding: 'latin1' }
    const content = typeof body === 'string' ? body : JSON.stringify(body)
    const type = hasContentType(headers) ? '' : 'Content-Type: application/json\r\n'
    const bytes = Buffer.byteLength(content)
    return {
      text: `${head}${type}Content-Length: ${bytes}\r\n\r\n${content}`,
      encoding: bytes === content.length ? 'latin1' : 'utf8',
    }
  }
}

function serializeFields(headers: Readonly<Record<string, string>>): string {
  return Object.entries(headers)
    .map(([name, value]) => {
      if (/[\r\n]/.test(name + value)) throw new Error(`header ${name} contains a line break`)
      return `${name}: ${value}\r\n`
    })
    .join('')
}

function hasContentType(headers: Readonly<Record<string, string>> | undefined): boolean {
  if (headers === undefined) return false
  for (const name in headers) if (name.length === 12 && name.toLowerCase() === 'content-type') return true
  return false
}
