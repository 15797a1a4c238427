import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import { type AnyEventType, type App, readableVersions } from '../core/index.ts'
import { type Misfit, misfits } from './compatibility.ts'
import { contractsError } from './errors.ts'
import { type JsonSchema, sentSchema } from './json-schema.ts'

const Released = z.object({
  app: z.string(),
  events: z.record(z.string(), z.record(z.string().regex(/^\d+$/), z.record(z.string(), z.unknown()))),
})

/** The schemas of an application's events as they were last released: by event and version. Kept in a file. */
export type ReleasedEvents = z.infer<typeof Released>

/** What a release would break. */
export type Breach = {
  readonly event: string
  readonly version: number
  /** `backward`: events that were written are not read any more. `forward`: the last release cannot read new ones. */
  readonly direction: 'backward' | 'forward'
  readonly path: string
  readonly why: string
  readonly remedy: string
}

export type EventsCheck = {
  readonly breaches: readonly Breach[]
  /** Events and versions that are new or changed, e.g. `order.placed v2`: `release` writes them down. */
  readonly unreleased: readonly string[]
}

/** Parses the file of released schemas. Throws CONTRACTS_RELEASE_INVALID. */
export function parseReleased(text: string, path: string): ReleasedEvents {
  try {
    return Released.parse(JSON.parse(text))
  } catch (cause) {
    throw contractsError('CONTRACTS_RELEASE_INVALID', `${path} holds no released schemas`, { cause })
  }
}

/**
 * Compares the events that an application declares with those that were released. Backward: every released version is
 * still read by everything that reads the event, because its schema accepts what the released one let through, or an
 * upcaster leads there. Forward: what is written in a released version is accepted by the released schema, so that
 * consumers that are not yet deployed anew go on.
 */
export function checkEvents(app: App, released: ReleasedEvents): EventsCheck {
  const declared = declaredVersions(app)
  const breaches = Object.entries(released.events).flatMap(([event, versions]) => {
    return Object.entries(versions).flatMap(([version, schema]) => {
      return breachesOf({ event, version: Number(version), schema }, declared.get(event) ?? [])
    })
  })
  return { breaches, unreleased: unreleasedOf(declared, released) }
}

/** What to keep as released from now on: all versions that the application writes or still reads. */
export function releaseOf(app: App): ReleasedEvents {
  const events = [...declaredVersions(app)]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, versions]) => {
      const schemas = versions.map(({ type }) => [type.version, schemaOf(type)] as const)
      return [name, Object.fromEntries(schemas)]
    })
  return { app: app.name, events: Object.fromEntries(events) }
}

type Declared = { readonly type: AnyEventType; readonly isWritten: boolean }
type Release = { readonly event: string; readonly version: number; readonly schema: JsonSchema }

/** Every version of every event that is written, or read by a consumer, itself or through upcasters. */
function declaredVersions(app: App): ReadonlyMap<string, readonly Declared[]> {
  const written = app.services.flatMap((service) => service.emits)
  const read = app.services.flatMap((service) => service.consumers.map((consumer) => consumer.event))
  const types = new Set([...written, ...read].flatMap(readableVersions))
  const declared = [...types].map((type) => ({ type, isWritten: written.includes(type) }))
  return Map.groupBy(declared, ({ type }) => type.name)
}

function breachesOf(release: Release, declared: readonly Declared[]): readonly Breach[] {
  const { event, version, schema } = release
  const breach = { event, version, path: '' }
  if (declared.length === 0) {
    const why = 'it is neither written nor read any more, and others may wait for it'
    return [{ ...breach, direction: 'forward', why, remedy: 'Declare it again, or drop it for good by --force.' }]
  }
  const same = declared.filter(({ type }) => type.version === version)
  if (same.length === 0) {
    const newest = Math.max(...declared.map(({ type }) => type.version))
    const why = `v${newest} has no upcaster from it, so that events of v${version} would be parked`
    return [
      { ...breach, direction: 'backward', why, remedy: `Name v${version} as \`previous\` of the version after it.` },
    ]
  }
  return same.flatMap(({ type, isWritten }) => {
    const current = schemaOf(type)
    const backward = misfits(current, schema).map((misfit) => toBreach(release, misfit, 'backward'))
    const forward = isWritten ? misfits(schema, current).map((misfit) => toBreach(release, misfit, 'forward')) : []
    return [...backward, ...forward]
  })
}

function toBreach({ event, version }: Release, misfit: Misfit, direction: Breach['direction']): Breach {
  const who =
    direction === 'backward' ? 'what was written is not read' : 'the last release does not read what is written'
  const remedy = `Leave v${version} as it was, and declare v${version + 1} with an upcaster from it.`
  return { event, version, direction, path: misfit.path, why: `${who}: ${misfit.why}`, remedy }
}

function unreleasedOf(declared: ReadonlyMap<string, readonly Declared[]>, released: ReleasedEvents): readonly string[] {
  const types = [...declared.values()].flat().map(({ type }) => type)
  const changed = types.filter((type) => {
    return !isDeepStrictEqual(schemaOf(type), released.events[type.name]?.[type.version])
  })
  return [...new Set(changed.map(({ name, version }) => `${name} v${version}`))].sort()
}

function schemaOf(type: AnyEventType): JsonSchema {
  return sentSchema(type.schema, `${type.name} v${type.version}`)
}
