import { httpProtocols, type PluginSchema } from '../config/schema.ts'
import type { Exchange } from '../exchange.ts'
import { REQUEST_TARGET_BYTES_MAX, TRANSFORMED_BODY_BYTES_MAX } from '../limits.ts'
import {
  hasQueryName,
  queryParameters,
  withoutQueryName,
  withQueryAppended,
  withQueryNameChanged,
  withQueryValue,
} from '../query.ts'
import { boundaryOf, endsPart, readParts, transformedParts, writeParts } from './multipart.ts'
import type { PluginDefinition } from './plugin.ts'
import { compileTemplate, type Template, templateError } from './template.ts'
import {
  hasJsonRules,
  headerNames,
  headerRenames,
  headerText,
  headerValues,
  type JsonRules,
  namedValueOf,
  namedValues,
  names,
  record,
  transformedEntries,
  transformedJson,
} from './transformation.ts'

/**
 * Changes the request before its service sees it: remove, rename, replace, add, append, in this order, on headers,
 * query and the fields of a form or of the top level of JSON. Source: Kong 3.9, `kong/plugins/request-transformer`.
 */
type Part = 'headers' | 'querystring' | 'body'
type Lists = { readonly [part in Part]: readonly string[] }

type Config = {
  readonly http_method: string | null
  readonly remove: Lists
  readonly rename: Lists
  readonly replace: Lists & { readonly uri: string | null }
  readonly add: Lists
  readonly append: Lists
}

const valueLists = (what: string) => [
  { body: namedValues(`Fields of the body to ${what}, as name:value.`, templateError) },
  { headers: headerValues(`Headers to ${what}, as name:value.`, templateError) },
  { querystring: namedValues(`Query parameters to ${what}, as name:value.`, templateError) },
]

const schema: PluginSchema = {
  name: 'request-transformer',
  fields: [
    { protocols: httpProtocols },
    {
      config: {
        type: 'record',
        required: true,
        fields: [
          {
            http_method: {
              type: 'string',
              description: 'The method for the upstream.',
              custom_validator: (value: string) => (/^[A-Z]+$/.test(value) ? undefined : `invalid value: ${value}`),
            },
          },
          {
            remove: record([
              { body: names('Fields of the body to remove.') },
              { headers: headerNames('Headers to remove.') },
              { querystring: names('Query parameters to remove.') },
            ]),
          },
          {
            rename: record([
              { body: namedValues('Fields of the body to rename, as old:new.') },
              { headers: headerRenames('Headers to rename, as old:new.') },
              { querystring: namedValues('Query parameters to rename, as old:new.') },
            ]),
          },
          {
            replace: record([
              ...valueLists('replace if they are there'),
              {
                uri: {
                  type: 'string',
                  description: 'The path for the upstream.',
                  custom_validator: (value: string) =>
                    value.startsWith('/') ? templateError(value) : 'should start with: /',
                },
              },
            ]),
          },
          { add: record(valueLists('add if they are not there')) },
          { append: record(valueLists('append')) },
        ],
      },
    },
  ],
}

export const requestTransformer: PluginDefinition = {
  name: 'request-transformer',
  version: '3.9.1',
  priority: 801,
  schema,
  create(raw) {
    const config = raw as Config
    const rules = {
      headers: compile(config, 'headers'),
      query: compile(config, 'querystring'),
      body: compile(config, 'body'),
    }
    const uri = config.replace.uri === null ? undefined : compileTemplate(config.replace.uri, encodeURIComponent)
    return {
      access(exchange) {
        // Templates see the request as it came, whatever is changed first.
        const body = rules.body && fill(rules.body, exchange)
        const query = rules.query && fill(rules.query, exchange)
        const path = uri?.(exchange)
        // What came with the request must not lead out of the path that the rule names.
        if (path !== undefined && /(?:^|\/)\.{1,2}(?:\/|$)/.test(path)) return exchange.exit(400, 'Bad request')
        exchange.upstreamPath = path?.replace(NOT_IN_PATH, encodeURIComponent)
        const showsForm = WITHOUT_FORM.has(config.http_method ?? '') && typeOf(exchange).startsWith(FORM)
        if (config.http_method !== null) exchange.request.method = config.http_method
        if (rules.headers !== undefined) transformHeaders(exchange, fill(rules.headers, exchange, headerText))
        if (showsForm) return showForm(exchange, { query, body })
        return transformQueryAndBody(exchange, { query, body })
      },
    }
  },
}

const NOT_IN_PATH = /[^\w.\-~/%:@!$&'()*+,;=]/gu

type TemplateRule = readonly [string, Template]

type Rules = Omit<JsonRules, 'replace' | 'add' | 'append'> & {
  readonly replace: readonly TemplateRule[]
  readonly add: readonly TemplateRule[]
  readonly append: readonly TemplateRule[]
}

/** Undefined when there is nothing to do to this part. */
function compile(config: Config, part: Part): Rules | undefined {
  const templates = (lists: Lists) =>
    lists[part].map(namedValueOf).map(({ name, value }): TemplateRule => [name, compileTemplate(value)])
  const rules = {
    remove: config.remove[part],
    rename: config.rename[part].map(namedValueOf),
    replace: templates(config.replace),
    add: templates(config.add),
    append: templates(config.append),
  }
  return Object.values(rules).some((list) => list.length > 0) ? rules : undefined
}

type FilledRules = JsonRules & {
  readonly replace: readonly (readonly [string, string])[]
  readonly add: readonly (readonly [string, string])[]
  readonly append: readonly (readonly [string, string])[]
}

function fill(rules: Rules, exchange: Exchange, safe: (text: string) => string = (text) => text): FilledRules {
  const values = (list: readonly TemplateRule[]) =>
    list.map(([name, template]) => [name, safe(template(exchange))] as const)
  return { ...rules, replace: values(rules.replace), add: values(rules.add), append: values(rules.append) }
}

function transformHeaders({ headers }: Exchange, rules: FilledRules): void {
  for (const name of rules.remove) delete headers[name.toLowerCase()]
  for (const { name, value } of rules.rename) {
    const current = headers[name.toLowerCase()]
    if (current === undefined) continue
    delete headers[name.toLowerCase()]
    headers[value.toLowerCase()] = current
  }
  for (const [name, value] of rules.replace) {
    if (headers[name.toLowerCase()] !== undefined) headers[name.toLowerCase()] = value
  }
  for (const [name, value] of rules.add) headers[name.toLowerCase()] ??= value
  for (const [name, value] of rules.append) {
    const current = headers[name.toLowerCase()]
    // One line with a list is the same as several lines. RFC 9110, 5.3.
    headers[name.toLowerCase()] = current === undefined ? value : `${String(current)}, ${value}`
  }
}

/** In place: services may sign or compare the rest as it was written. */
function transformedQuery(given: string, rules: FilledRules): string {
  let query = given
  for (const name of rules.remove) query = withoutQueryName(query, name)
  for (const { name, value } of rules.rename) query = withQueryNameChanged(query, name, value)
  for (const [name, value] of rules.replace) if (hasQueryName(query, name)) query = withQueryValue(query, name, value)
  for (const [name, value] of rules.add) if (!hasQueryName(query, name)) query = withQueryValue(query, name, value)
  return withQueryAppended(query, rules.append)
}

const FORM = 'application/x-www-form-urlencoded'

/** Services look for a form in the query of these. Source: Kong 3.9, which leaves it in the body as well. */
const WITHOUT_FORM = new Set(['GET', 'HEAD', 'TRACE'])

function typeOf({ headers }: Exchange): string {
  return headers['content-type']?.toLowerCase() ?? ''
}

type Filled = { readonly query: FilledRules | undefined; readonly body: FilledRules | undefined }

function transformQueryAndBody(exchange: Exchange, { query, body }: Filled): undefined | Promise<void> {
  if (query !== undefined) exchange.query = transformedQuery(exchange.query, query)
  return body === undefined ? undefined : transformBody(exchange, body)
}

/** Appends the fields of a form to the query, whose rules then are for them, too. */
async function showForm(exchange: Exchange, rules: Filled): Promise<void> {
  const form = await exchange.readBody(REQUEST_TARGET_BYTES_MAX)
  if (form === undefined) {
    exchange.exit(413, 'Request body is too large for the query')
    return
  }
  const fields = Object.entries(queryParameters(`?${form}`))
  exchange.query = withQueryAppended(
    exchange.query,
    fields.flatMap(([name, values]) => [values].flat().map((value) => [name, value] as const)),
  )
  await transformQueryAndBody(exchange, rules)
}

async function transformBody(exchange: Exchange, rules: FilledRules): Promise<void> {
  const transform = TRANSFORMS.find(([type]) => typeOf(exchange).startsWith(type))?.[1]
  if (transform === undefined || !hasJsonRules(rules)) return
  const body = await exchange.readBody(TRANSFORMED_BODY_BYTES_MAX)
  if (body === undefined) {
    exchange.exit(413, 'Request body is too large to be transformed')
    return
  }
  const changed = transform(body, rules, exchange)
  if (changed !== undefined) exchange.replaceBody(Buffer.from(changed))
}

/** Undefined for what is not of its type after all, which stays as it is, as in Kong. */
type BodyTransform = (body: Buffer, rules: FilledRules, exchange: Exchange) => string | Buffer | undefined

const TRANSFORMS: readonly (readonly [string, BodyTransform])[] = [
  ['application/json', (body, rules) => transformedJson(body.length === 0 ? '{}' : body.toString(), rules)],
  [FORM, (body, rules) => transformedForm(body.toString(), rules)],
  ['multipart/form-data', transformedMultipart],
]

function transformedMultipart(body: Buffer, rules: FilledRules, exchange: Exchange): Buffer | undefined {
  const boundary = boundaryOf(exchange.headers['content-type'] ?? '')
  const parts = boundary === undefined ? undefined : readParts(body, boundary)
  // To pass on what could be read in two ways would be a way around rules that take something away.
  if (boundary === undefined || parts === undefined) return exchange.exit(400, 'Bad request')
  // What came with the request, or a boundary made for the rule, must not add parts that no rule has seen.
  const values = [rules.replace, rules.add, rules.append].flat()
  if (values.some(([, value]) => endsPart(value, boundary))) return exchange.exit(400, 'Bad request')
  return writeParts(transformedParts(parts, rules), boundary)
}

function transformedForm(text: string, rules: FilledRules): string {
  const entries = new Map<string, unknown>()
  for (const [name, value] of new URLSearchParams(text)) {
    const current = entries.get(name)
    entries.set(name, current === undefined ? value : [current, value].flat())
  }
  const form = new URLSearchParams()
  for (const [name, value] of transformedEntries(entries, rules)) {
    for (const each of [value].flat()) form.append(name, String(each))
  }
  return form.toString()
}
