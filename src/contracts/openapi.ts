import type { App, Endpoint } from '../core/index.ts'
import type { Document } from './asyncapi.ts'
import { answeredSchema, type JsonSchema, sentSchema } from './json-schema.ts'

/**
 * The routes that clients may call as an OpenAPI 3.1 document. Refusals are problems (RFC 9457) under `default`; the
 * gateway's own, such as 401 and 429, have its format. `url` is where the gateway answers. Source: OpenAPI 3.1.1.
 */
export function openApiOf(app: App, options: { readonly version: string; readonly url: string }): Document {
  const endpoints = app.services.flatMap((service) => service.routes.map((route) => route.endpoint))
  const exposed = endpoints.filter((endpoint) => endpoint.spec.exposed !== false)
  const byPath = Map.groupBy(exposed, (endpoint) => endpoint.path.replace(/:([^/]+)/g, '{$1}'))
  return {
    openapi: '3.1.1',
    info: { title: app.name, version: options.version },
    servers: [{ url: options.url }],
    tags: app.services.map(({ name, summary }) => (summary === undefined ? { name } : { name, description: summary })),
    paths: Object.fromEntries([...byPath].map(([path, list]) => [path, pathItemOf(list)])),
    components: {
      securitySchemes: { key: { type: 'apiKey', in: 'header', name: 'apikey' } },
      responses: {
        Problem: { description: 'A refusal', content: { 'application/problem+json': { schema: PROBLEM } } },
      },
    },
  }
}

function pathItemOf(endpoints: readonly Endpoint[]): Document {
  return Object.fromEntries(endpoints.map((endpoint) => [endpoint.method.toLowerCase(), operationOf(endpoint)]))
}

function operationOf({ service, method, path, spec }: Endpoint): Document {
  const owner = `${method} ${path}`
  const parameters = [
    ...(spec.params === undefined ? [] : parametersOf(sentSchema(spec.params, owner), 'path')),
    ...(spec.query === undefined ? [] : parametersOf(sentSchema(spec.query, owner), 'query')),
  ]
  const body = spec.body === undefined ? undefined : json(sentSchema(spec.body, owner))
  const replies = Object.entries(spec.replies).map(([status, schema]) => {
    const content = schema === null ? {} : json(answeredSchema(schema, owner))
    return [status, { description: `Status ${status}`, ...content }]
  })
  return {
    operationId: `${method.toLowerCase()}${path.replace(/[^A-Za-z0-9]+(.)?/g, (_, first = '') => first.toUpperCase())}`,
    tags: [service],
    ...(spec.summary === undefined ? {} : { summary: spec.summary }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined ? {} : { requestBody: { required: true, ...body } }),
    responses: { ...Object.fromEntries(replies), default: { $ref: '#/components/responses/Problem' } },
    ...securityOf(spec.access),
  }
}

/** A schema of an object as parameters, one for each property. */
function parametersOf(schema: JsonSchema, place: 'path' | 'query'): readonly Document[] {
  const required = Array.isArray(schema.required) ? schema.required : []
  return Object.entries((schema.properties ?? {}) as Document).map(([name, one]) => {
    return { name, in: place, required: place === 'path' || required.includes(name), schema: one }
  })
}

function json(schema: JsonSchema): Document {
  return { content: { 'application/json': { schema } } }
}

/** Which consumers may call is for people: OpenAPI has no word for it. */
function securityOf(access: Endpoint['spec']['access']): Document {
  if (access === undefined || access === 'public') return {}
  const only = access === 'key' ? {} : { description: `Only for ${access.consumers.join(', ')}.` }
  return { ...only, security: [{ key: [] }] }
}

const PROBLEM: JsonSchema = {
  type: 'object',
  required: ['type', 'title', 'status', 'detail', 'code'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string', description: 'For people: what does not fit, with its value.' },
    code: { type: 'string', description: 'For machines: stable.' },
  },
}
