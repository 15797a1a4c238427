import { z } from 'zod'
import type { AnyEventType } from '../core/index.ts'

const known = new WeakMap<AnyEventType, boolean>()

/**
 * Whether all that the type's schema lets through is JSON. If it is not, a Date for example, then what is read back
 * from the log is something else than what was emitted, and every consumer must get the former.
 */
export function holdsJsonOnly(type: AnyEventType): boolean {
  let answer = known.get(type)
  if (answer === undefined) {
    answer = hasJsonSchema(type.schema)
    known.set(type, answer)
  }
  return answer
}

function hasJsonSchema(schema: z.ZodType): boolean {
  try {
    const { $schema: _, ...json } = z.toJSONSchema(schema, { unrepresentable: 'throw' })
    // `{}` is what lets anything through, a Date too: unknown, any, and the rest of a loose object.
    return !/(?:^|[:[,])\{\}/.test(JSON.stringify(json))
  } catch {
    // That is how it says no.
    return false
  }
}
