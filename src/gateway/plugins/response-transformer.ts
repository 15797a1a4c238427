import { type Field, httpProtocols, type PluginSchema } from '../config/schema.ts'
import type { Exchange } from '../exchange.ts'
import { TRANSFORMED_BODY_BYTES_MAX } from '../limits.ts'
import type { BodyFilter, HeaderList, ResponseHead } from '../response-head.ts'
import type { PluginDefinition } from './plugin.ts'
import {
  hasJsonRules,
  headerNames,
  headerRenames,
  headerValues,
  type JsonRules,
  namedValueOf,
  namedValues,
  names,
  record,
  transformedJson,
} from './transformation.ts'

/**
 * Changes the response before the client sees it: remove, rename, replace, add, append, in this order, on headers and
 * the top level of a JSON body. Of whoever answers, as in Kong: the gateway's own answers too.
 * Source: Kong 3.9, `kong/plugins/response-transformer`.
 */
type JsonType = 'string' | 'number' | 'boolean'
type Values = {
  readonly headers: readonly string[]
  readonly json: readonly string[]
  readonly json_types: readonly JsonType[]
}

type Config = {
  readonly remove: { readonly headers: readonly string[]; readonly json: readonly string[] }
  readonly rename: { readonly headers: readonly string[]; readonly json: readonly string[] }
  readonly replace: Values
  readonly add: Values
  readonly append: Values
}

const jsonTypes: Field = {
  type: 'array',
  default: [],
  elements: { type: 'string', one_of: ['boolean', 'number', 'string'] },
  description: 'Types of the JSON values, in their order: string where there is none.',
}

const valueLists = (what: string) =>
  record([
    { json: namedValues(`Fields of the body to ${what}, as name:value.`) },
    { json_types: jsonTypes },
    { headers: headerValues(`Headers to ${what}, as name:value.`) },
  ])

const schema: PluginSchema = {
  name: 'response-transformer',
  fields: [
    { protocols: httpProtocols },
    {
      config: {
        type: 'record',
        required: true,
        fields: [
          {
            remove: record([
              { json: names('Fields of the body to remove.') },
              { headers: headerNames('Headers to remove.') },
            ]),
          },
          {
            rename: record([
              { headers: headerRenames('Headers to rename, as old:new.') },
              { json: namedValues('Fields of the body to rename, as old:new.') },
            ]),
          },
          { replace: valueLists('replace if they are there') },
          { add: valueLists('add if they are not there') },
          { append: valueLists('append') },
        ],
      },
    },
  ],
}

export const responseTransformer: PluginDefinition = {
  name: 'response-transformer',
  version: '3.9.1',
  priority: 800,
  schema,
  create(raw) {
    const config = raw as Config
    const json: JsonRules = {
      remove: config.remove.json,
      rename: config.rename.json.map(namedValueOf),
      replace: typedValues(config.replace),
      add: typedValues(config.add),
      append: typedValues(config.append),
    }
    const changesBody = hasJsonRules(json)
    return {
      ...(changesBody ? { access: askForPlainBody } : {}),
      response(_exchange, head) {
        transformHeaders(head.headers, config)
        if (!changesBody || !head.headers.get('content-type')?.toLowerCase().startsWith('application/json'))
          return undefined
        return transformBody(head, json)
      },
    }
  },
}

/** A compressed body cannot be changed. */
function askForPlainBody({ headers }: Exchange): undefined {
  delete headers['accept-encoding']
}

function transformHeaders(headers: HeaderList, { remove, rename, replace, add, append }: Config): void {
  for (const name of remove.headers) headers.remove(name)
  for (const { name, value } of rename.headers.map(namedValueOf)) {
    const values = headers.getAll(name)
    if (values.length === 0) continue
    headers.remove(name)
    headers.set(value, ...values)
  }
  for (const { name, value } of replace.headers.map(namedValueOf)) if (headers.has(name)) headers.set(name, value)
  for (const { name, value } of add.headers.map(namedValueOf)) if (!headers.has(name)) headers.append(name, value)
  for (const { name, value } of append.headers.map(namedValueOf)) headers.append(name, value)
}

/** The body's length and digest are then no longer those of its head. */
function transformBody({ headers }: ResponseHead, json: JsonRules): BodyFilter {
  for (const name of ['content-length', 'etag', 'content-md5', 'digest']) headers.remove(name)
  const chunks: Buffer[] = []
  let bytes = 0
  return {
    write(chunk) {
      bytes += chunk.length
      // Sent on as it is, it could show what a rule removes.
      if (bytes > TRANSFORMED_BODY_BYTES_MAX) throw new Error('the response is too large to be transformed')
      chunks.push(chunk)
      return undefined
    },
    end() {
      const body = Buffer.concat(chunks)
      const changed = transformedJson(body.toString(), json)
      return changed === undefined ? body : Buffer.from(changed)
    },
  }
}

function typedValues({ json, json_types }: Values): (readonly [string, unknown])[] {
  return json.map(namedValueOf).map(({ name, value }, index) => [name, cast(value, json_types[index])])
}

function cast(value: string, type: JsonType | undefined): unknown {
  if (type === 'boolean') return value === 'true'
  return type === 'number' ? Number(value) : value
}
