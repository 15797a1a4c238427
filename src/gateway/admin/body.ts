import type { IncomingMessage } from 'node:http'
import { ApiError } from '../config/api-error.ts'
import { ADMIN_BODY_BYTES_MAX, CONFIG_BODY_BYTES_MAX } from '../config/limits.ts'
import { isRecord } from '../config/values.ts'
import type { Input } from './answer.ts'
import { decodeForm } from './form.ts'

const CONTENT_TYPES = 'application/json, application/x-www-form-urlencoded or multipart/form-data'

const unparsable = () => new ApiError(400, { message: 'Cannot parse JSON body' })
const tooLarge = (bytesMax: number) =>
  new ApiError(413, { message: `Payload too large: bodies may have at most ${bytesMax} bytes` })

/** Reads a body and decodes it by its content type. None at all, without a content type, is an empty one. */
export async function readInput(request: IncomingMessage): Promise<Input> {
  return decode(await readBody(request, ADMIN_BODY_BYTES_MAX), request.headers['content-type'] ?? '')
}

/**
 * Reads a declarative configuration: YAML as it is, or JSON that is one, or a field `config` that holds either.
 */
export async function readDocumentText(request: IncomingMessage): Promise<string> {
  const bytes = await readBody(request, CONFIG_BODY_BYTES_MAX)
  const contentType = request.headers['content-type'] ?? ''
  if (/^(application|text)\/yaml\s*(;|$)/i.test(contentType)) return bytes.toString()
  const { values, form } = await decode(bytes, contentType)
  if (typeof values.config === 'string') return values.config
  if (form || Object.keys(values).length === 0) {
    throw new ApiError(400, { message: 'expected a declarative configuration' })
  }
  return bytes.toString()
}

async function decode(bytes: Buffer, contentType: string): Promise<Input> {
  if (contentType === '' && bytes.length === 0) return { values: {}, form: false }
  const type = contentType.split(';')[0]?.trim().toLowerCase()
  if (type === 'application/json') return { values: parseJson(bytes), form: false }
  if (type === 'application/x-www-form-urlencoded') {
    return { values: decodeForm(new URLSearchParams(bytes.toString())), form: true }
  }
  if (type === 'multipart/form-data')
    return { values: decodeForm(await parseMultipart(bytes, contentType)), form: true }
  throw new ApiError(415, {
    message: `unsupported content type "${contentType}": send ${CONTENT_TYPES}`,
  })
}

async function readBody(request: IncomingMessage, bytesMax: number): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > bytesMax) throw tooLarge(bytesMax)
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > bytesMax) throw tooLarge(bytesMax)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function parseJson(bytes: Buffer): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(bytes.toString())
  } catch {
    throw unparsable() // The position that the parser names would differ from Kong's exact message.
  }
  if (!isRecord(value)) throw unparsable()
  return value
}

async function parseMultipart(bytes: Buffer, contentType: string): Promise<[string, string][]> {
  const form = await parseForm(bytes, contentType)
  const pairs = [...form].map(async ([name, value]): Promise<[string, string]> => {
    return [name, typeof value === 'string' ? value : await value.text()]
  })
  return Promise.all(pairs)
}

async function parseForm(bytes: Buffer, contentType: string): Promise<FormData> {
  try {
    return await new Response(new Uint8Array(bytes), { headers: { 'content-type': contentType } }).formData()
  } catch (cause) {
    throw Object.assign(new ApiError(400, { message: 'Cannot parse multipart body' }), { cause })
  }
}
