import { isRecord } from '../config/values.ts'
import type { Exchange } from '../exchange.ts'
import { TRANSFORMED_BODY_BYTES_MAX } from '../limits.ts'
import { queryValues, withoutQueryName } from '../query.ts'
import { hasBody } from '../request-body.ts'
import { parsedJson } from './transformation.ts'

/** A body that may have keys among its fields. */
export type KeyedBody = {
  /** What stands under a name: one text, or several, or none. What is no text is no key. */
  readonly keys: (name: string) => readonly string[]
  /** The body without the fields of these names; undefined when it has none of them. */
  readonly without: (names: readonly string[]) => string | undefined
}

/** Whether there is a body that keys are looked for in. */
export function mayHaveKeys({ request, headers }: Exchange): boolean {
  return hasBody(request) && readerOf(headers['content-type']) !== undefined
}

/** Undefined when the body is too large to be read, which leaves nothing to send on. */
export async function readKeyedBody(exchange: Exchange): Promise<KeyedBody | undefined> {
  const body = await exchange.readBody(TRANSFORMED_BODY_BYTES_MAX)
  return body && (readerOf(exchange.headers['content-type'])?.(body.toString()) ?? NO_KEYS)
}

const NO_KEYS: KeyedBody = { keys: () => [], without: () => undefined }

function readerOf(contentType = ''): ((text: string) => KeyedBody) | undefined {
  const type = contentType.toLowerCase()
  if (type.startsWith('application/x-www-form-urlencoded')) return formBody
  return type.startsWith('application/json') ? jsonBody : undefined
}

/** A form is written as a query is, which is edited in place. */
function formBody(text: string): KeyedBody {
  const query = `?${text}`
  return {
    keys: (name) => queryValues(query, name),
    without: (names) => {
      const kept = names.reduce(withoutQueryName, query)
      return kept === query ? undefined : kept.slice(1)
    },
  }
}

function jsonBody(text: string): KeyedBody {
  const fields = parsedJson(text)
  if (!isRecord(fields)) return NO_KEYS
  return {
    keys: (name) => textsOf(Object.hasOwn(fields, name) ? fields[name] : undefined),
    without: (names) => {
      const present = names.filter((name) => Object.hasOwn(fields, name))
      if (present.length === 0) return undefined
      return JSON.stringify(Object.fromEntries(Object.entries(fields).filter(([name]) => !present.includes(name))))
    },
  }
}

/** A list is several keys whatever is in it, and an object, which Kong cannot tell from one. */
function textsOf(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value]
  return typeof value === 'object' && value !== null ? ['', ''] : []
}
