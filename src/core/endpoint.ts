import type { z } from 'zod'

export type Method = 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE'

/**
 * Who may call a route: anyone, any consumer with a key, or only the named consumers. The gateway and the service both
 * use it.
 */
export type Access = 'public' | 'key' | { readonly consumers: readonly string[] }

export type EndpointSpec = {
  readonly params?: z.ZodType
  readonly query?: z.ZodType
  readonly body?: z.ZodType
  /** Body schema per status that the endpoint answers with; problems (RFC 9457) need no mention. */
  readonly replies: Readonly<Record<number, z.ZodType | null>>
  readonly access?: Access
  /** A line for people: OpenAPI and the console show it. */
  readonly summary?: string
  /** False keeps the endpoint off the gateway: only services may call it. Default true. */
  readonly exposed?: boolean
}

/**
 * The contract of one HTTP endpoint, shared by the service that handles it and by those that call it: `service` names
 * where it lives, so that a typed call needs nothing else.
 */
export type Endpoint<Spec extends EndpointSpec = EndpointSpec> = {
  readonly service: string
  readonly method: Method
  /** Path with `:name` parameters, e.g. `/orders/:orderId`. */
  readonly path: string
  readonly spec: Spec
}

/**
 * Declares endpoints of one service: `const at = endpoints('order-service')`, then `at.post('/orders', { … })`. Throws
 * when `params` and the path differ in their names, and when a GET has a body, for which each request would be refused.
 */
export function endpoints(service: string) {
  const declare =
    (method: Method) =>
    <const Spec extends EndpointSpec>(path: string, spec: Spec): Endpoint<Spec> => {
      if (!path.startsWith('/')) throw new Error(`${service}: path "${path}" must begin with a slash`)
      const problem = paramsProblem(path, spec.params) ?? bodyProblem(method, spec.body)
      if (problem !== undefined) throw new Error(`${service}: ${method} ${path} ${problem}`)
      return { service, method, path, spec }
    }
  return {
    get: declare('GET'),
    put: declare('PUT'),
    post: declare('POST'),
    patch: declare('PATCH'),
    delete: declare('DELETE'),
  }
}

/** What of `params` and the path does not fit; undefined when all does, or when the schema tells no names. */
function paramsProblem(path: string, params: z.ZodType | undefined): string | undefined {
  if (!isObject(params)) return undefined
  const inPath = [...path.matchAll(/:([^/]+)/g)].map(([, name = '']) => name)
  const inSchema = Object.keys(params.shape)
  const { catchall } = params.def
  // A schema that takes names which it does not list, such as z.looseObject, lacks none.
  const takesOthers = catchall !== undefined && catchall._zod.def.type !== 'never'
  const problems = [
    ...inSchema.filter((name) => !inPath.includes(name)).map((name) => `has no :${name}, which its params have`),
    ...inPath
      .filter((name) => !inSchema.includes(name) && !takesOthers)
      .map((name) => `has :${name}, which its params lack`),
  ]
  return problems.length === 0 ? undefined : problems.join(', and ')
}

function bodyProblem(method: Method, body: z.ZodType | undefined): string | undefined {
  const isRefused = method === 'GET' && body !== undefined
  return isRefused ? 'has a body, which services do not read of a GET: use its query, or POST' : undefined
}

/** By its kind rather than by its class: an application may bring a Zod of its own. */
function isObject(schema: z.ZodType | undefined): schema is z.ZodObject {
  return schema?.def.type === 'object'
}
