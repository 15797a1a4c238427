import { ApiError, notFound } from '../config/api-error.ts'
import { type Endpoint, noContent, ok } from './answer.ts'

/**
 * Kinds that this gateway does not have yet, but whose lists deck reads before it does anything: there are none of
 * them, and making one is refused in Kong's words for an operation that a node cannot do.
 */
const KINDS = new Set(['upstreams'])

export function unavailableAt(segments: readonly string[]): Endpoint | undefined {
  const [kind = '', key, ...rest] = segments
  if (!KINDS.has(kind) || rest.length > 0) return undefined
  const refuse = () => {
    const message = `cannot create '${kind}' entities: they are not available yet`
    throw new ApiError(405, { code: 12, name: 'operation unsupported', message })
  }
  if (key === undefined) return { GET: () => ok({ data: [], next: null }), POST: refuse }
  const find = () => {
    throw notFound()
  }
  return { GET: find, PATCH: find, PUT: refuse, DELETE: () => noContent }
}
