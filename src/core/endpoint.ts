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
  /** A line for people: the start table and the console show it. */
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

/** Declares endpoints of one service: `const at = endpoints('order-service')`, then `at.post('/orders', { … })`. */
export function endpoints(service: string) {
  const declare =
    (method: Method) =>
    <const Spec extends EndpointSpec>(path: string, spec: Spec): Endpoint<Spec> => {
      if (!path.startsWith('/')) throw new Error(`${service}: path "${path}" must begin with a slash`)
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
