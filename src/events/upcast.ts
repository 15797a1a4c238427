import { type AnyEventType, type EventEnvelope, messageOf, readableVersions } from '../core/index.ts'

export type Upcast =
  | { readonly kind: 'readable'; readonly envelope: EventEnvelope }
  | { readonly kind: 'unreadable'; readonly problem: string }

/**
 * Reads an event as `type`: its payload is checked by the schema of the version in which it was written, and goes
 * through the upcaster and the schema of each later version in turn. Its id, key and time stay as they are. Pure: the
 * log keeps what was written, and a replay gives the same.
 */
export function upcast(written: EventEnvelope, type: AnyEventType): Upcast {
  const versions = readableVersions(type)
  const start = versions.findIndex(({ version }) => version === written.version)
  if (start === -1) {
    const readable = versions.map(({ version }) => version).toReversed()
    const problem = `version ${written.version} of ${type.name} is unknown here: this consumer reads version ${readable.join(', ')}`
    return { kind: 'unreadable', problem }
  }
  let payload = written.payload
  for (const step of versions.slice(0, start + 1).toReversed()) {
    if (step.version !== written.version) {
      const raised = raise(payload, step)
      if (raised.kind === 'failed') return { kind: 'unreadable', problem: raised.problem }
      payload = raised.payload
    }
    const parsed = step.schema.safeParse(payload)
    if (!parsed.success) {
      const from = step.version === written.version ? '' : `, made from v${written.version},`
      const problem = `the payload${from} breaks the schema of ${type.name} v${step.version}: ${parsed.error.message}`
      return { kind: 'unreadable', problem }
    }
    payload = parsed.data
  }
  return { kind: 'readable', envelope: { ...written, version: type.version, payload } }
}

type Raised =
  | { readonly kind: 'raised'; readonly payload: unknown }
  | { readonly kind: 'failed'; readonly problem: string }

/** One step up, into the version of `to`. An upcaster that throws makes its event unreadable, and no other. */
function raise(payload: unknown, to: AnyEventType): Raised {
  const { previous } = to
  if (previous === undefined) return { kind: 'raised', payload }
  try {
    return { kind: 'raised', payload: previous.upcast(payload as never) }
  } catch (error) {
    const problem = `the upcaster of ${to.name} from v${previous.type.version} to v${to.version} threw: ${messageOf(error)}`
    return { kind: 'failed', problem }
  }
}
