import type { IncomingHttpHeaders } from 'node:http'
import type { Encoded, Representation } from './representation.ts'

/** What a request's headers ask of a representation. Pure. Source: RFC 9110, sections 12.5.3 and 13. */

/** The coding that the client accepts and that we like best; without Accept-Encoding, or with none of ours, plain. */
export function chooseEncoding(representation: Representation, acceptEncoding: string | undefined): Encoded {
  if (acceptEncoding === undefined) return representation.plain
  const weights = weightsOf(acceptEncoding)
  const weightOf = (coding: string) => weights.get(coding) ?? weights.get('*') ?? 0
  let best: Encoded = representation.plain
  // Plain is acceptable unless it is refused by name, but compressed is preferred at the same weight.
  let bestWeight = weights.get('identity') ?? 0
  for (const candidate of representation.compressed) {
    const weight = weightOf(candidate.coding)
    if (weight === 0 || weight < bestWeight || (weight === bestWeight && best !== representation.plain)) continue
    best = candidate
    bestWeight = weight
  }
  return best
}

/**
 * Whether the client has these very bytes already. If-None-Match decides where it is given, whatever the dates say. A
 * date must be the very one that we gave: after going back to an older release a later one would prove nothing.
 */
export function isUnchanged(headers: IncomingHttpHeaders, encoded: Encoded, modifiedAtMs: number | undefined): boolean {
  const known = headers['if-none-match']
  if (known !== undefined) return known.trim() === '*' || opaqueTags(known).includes(encoded.etag)
  return modifiedAtMs !== undefined && Date.parse(headers['if-modified-since'] ?? '') === modifiedAtMs
}

const TAG = /(?:W\/)?("[^"]*")/g

/** The tags of a list without their weakness, which does not matter for reading. */
function opaqueTags(list: string): readonly string[] {
  return [...list.matchAll(TAG)].map((match) => match[1] ?? '')
}

const CODING = /^\s*([\w*-]+)\s*(?:;\s*q\s*=\s*([\d.]+)\s*)?$/

function weightsOf(acceptEncoding: string): ReadonlyMap<string, number> {
  const weights = new Map<string, number>()
  for (const item of acceptEncoding.toLowerCase().split(',')) {
    const match = CODING.exec(item)
    if (match?.[1] !== undefined) weights.set(match[1], Number(match[2] ?? 1))
  }
  return weights
}
