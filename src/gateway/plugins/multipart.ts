/**
 * Bodies of multipart/form-data, read strictly: what two readers could take for different forms is none. Source: RFC
 * 7578; RFC 2046, 5.1.1.
 *
 *     --boundary CRLF head CRLF CRLF value CRLF --boundary CRLF … CRLF --boundary--
 *
 * A head has one Content-Disposition and no folded lines. What stands before the first boundary and behind the last
 * one means nothing, and is lost when the form is written.
 */
export type FormPart = {
  readonly name: string
  readonly isFile: boolean
  /** Lines without the last one's end, as Latin-1 text, which is any bytes. */
  readonly head: string
  readonly value: Buffer
}

/** The boundary that a Content-Type names; undefined without one, or with several. */
export function boundaryOf(contentType: string): string | undefined {
  if (contentType.split(/boundary/i).length !== 2) return undefined
  const [, quoted, plain] = BOUNDARY.exec(contentType) ?? []
  return quoted ?? plain
}

/** The parts of a form; undefined when it is none. A body without bytes has no part. */
export function readParts(body: Buffer, boundary: string): FormPart[] | undefined {
  if (body.length === 0) return []
  const delimiter = Buffer.from(`${LINE_END}--${boundary}`, 'latin1')
  const parts: FormPart[] = []
  // The first boundary may have no line before it.
  const isAtStart = body.subarray(0, delimiter.length - 2).equals(delimiter.subarray(2))
  let at = isAtStart ? delimiter.length - 2 : behind(body, delimiter)
  while (at !== undefined && body.toString('latin1', at, at + 2) !== '--') {
    const next = body.indexOf(delimiter, at)
    if (next < 0 || body.toString('latin1', at, at + 2) !== LINE_END) return undefined
    const part = partOf(body.subarray(at + 2, next))
    if (part === undefined) return undefined
    parts.push(part)
    at = next + delimiter.length
  }
  return at === undefined ? undefined : parts
}

export function writeParts(parts: readonly FormPart[], boundary: string): Buffer {
  const pieces = parts.flatMap(({ head, value }) => [latin1(`--${boundary}\r\n${head}\r\n\r\n`), value, CRLF])
  return Buffer.concat([...pieces, latin1(`--${boundary}--\r\n`)])
}

export type FieldRules = {
  readonly remove: readonly string[]
  readonly rename: readonly { readonly name: string; readonly value: string }[]
  readonly replace: readonly (readonly [string, string])[]
  readonly add: readonly (readonly [string, string])[]
  readonly append: readonly (readonly [string, string])[]
}

/** In Kong's order: remove, rename, replace what is there, add what is not, append. Files stay as they are. */
export function transformedParts(parts: readonly FormPart[], rules: FieldRules): FormPart[] {
  let changed = [...parts]
  for (const name of rules.remove) changed = changed.filter((part) => !isField(part, name))
  for (const { name, value } of rules.rename) changed = withNameChanged(changed, name, value)
  for (const [name, value] of rules.replace) changed = withValue(changed, name, value)
  for (const [name, value] of rules.add) {
    if (!changed.some((part) => part.name === name)) changed.push(fieldOf(name, value))
  }
  for (const [name, value] of rules.append) changed.push(fieldOf(name, value))
  return changed
}

/** A field, which has no head of its own. */
export function fieldOf(name: string, value: string): FormPart {
  return { name, isFile: false, head: dispositionOf(name), value: Buffer.from(value) }
}

/** A part under another name; the rest of its head stays. */
export function renamedPart(part: FormPart, name: string): FormPart {
  const lines = part.head.split(LINE_END).map((line) => (DISPOSITION.test(line) ? dispositionOf(name) : line))
  return { ...part, name, head: lines.join(LINE_END) }
}

/** Whether a value would end its part, also for a reader to whom CR or LF alone ends a line. */
export function endsPart(value: string, boundary: string): boolean {
  return value.split(/[\r\n]/).some((line) => line.startsWith(`--${boundary}`))
}

const LINE_END = '\r\n'
const CRLF = Buffer.from(LINE_END)
const TOKEN = "[\\w!#$%&'*+.^`|~-]+"
const BOUNDARY = /;[ \t]*boundary=(?:"([\w'()+,./:=? -]{0,69}[\w'()+,./:=?-])"|([\w'+.-]{1,70})(?=[ \t]*(?:;|$)))/i
const HEAD_LINE = new RegExp(`^${TOKEN}:[^\\r\\n\\0]*$`)
const DISPOSITION = /^content-disposition:/i
const FORM_DATA = /^content-disposition:[ \t]*form-data(?=[ \t;])/i
const PARAMETER = new RegExp(`[ \\t]*;[ \\t]*(${TOKEN})=(?:"((?:[^"\\\\]|\\\\.)*)"|(${TOKEN}))`, 'y')

const latin1 = (text: string) => Buffer.from(text, 'latin1')

function behind(body: Buffer, delimiter: Buffer): number | undefined {
  const found = body.indexOf(delimiter)
  return found < 0 ? undefined : found + delimiter.length
}

function isField({ name, isFile }: FormPart, wanted: string): boolean {
  return name === wanted && !isFile
}

/** What had the other name goes, as where it is the name of a parameter. */
function withNameChanged(parts: FormPart[], name: string, changed: string): FormPart[] {
  if (name === changed || !parts.some((part) => isField(part, name))) return parts
  return parts
    .filter((part) => !isField(part, changed))
    .map((part) => (isField(part, name) ? renamedPart(part, changed) : part))
}

function withValue(parts: FormPart[], name: string, value: string): FormPart[] {
  const first = parts.findIndex((part) => isField(part, name))
  if (first < 0) return parts
  return parts.filter((part, index) => index <= first || !isField(part, name)).with(first, fieldOf(name, value))
}

function partOf(bytes: Buffer): FormPart | undefined {
  const end = bytes.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const head = bytes.toString('latin1', 0, end)
  const lines = head.split(LINE_END)
  const dispositions = lines.filter((line) => DISPOSITION.test(line))
  if (dispositions.length !== 1 || !lines.every((line) => HEAD_LINE.test(line))) return undefined
  const parameters = parametersOf(dispositions[0] ?? '')
  const name = parameters?.get('name')
  if (parameters === undefined || name === undefined) return undefined
  const isFile = parameters.has('filename') || parameters.has('filename*')
  return { name, isFile, head, value: bytes.subarray(end + 4) }
}

/** Undefined when there is anything else, or one of them twice. A name in two ways is two names. */
function parametersOf(disposition: string): ReadonlyMap<string, string> | undefined {
  const [begun] = FORM_DATA.exec(disposition) ?? []
  if (begun === undefined) return undefined
  const parameters = new Map<string, string>()
  let at = begun.length
  for (;;) {
    PARAMETER.lastIndex = at
    const [text, given = '', quoted, plain = ''] = PARAMETER.exec(disposition) ?? []
    if (text === undefined) break
    const key = given.toLowerCase()
    if (parameters.has(key) || key === 'name*') return undefined
    parameters.set(key, unescaped(quoted ?? plain))
    at += text.length
  }
  return disposition.slice(at).trim() === '' ? parameters : undefined
}

/** Browsers write a quotation mark and line ends as escapes of URIs, other clients with a backslash. */
function unescaped(text: string): string {
  const plain = text.replace(/\\(["\\])|%(22|0d|0a)/gi, (_, marked?: string, hex?: string) => {
    return marked ?? String.fromCharCode(Number.parseInt(hex ?? '', 16))
  })
  return Buffer.from(plain, 'latin1').toString()
}

function dispositionOf(name: string): string {
  const escaped = name.replace(/["\r\n]/g, (character) => encodeURIComponent(character))
  return `Content-Disposition: form-data; name="${Buffer.from(escaped).toString('latin1')}"`
}
