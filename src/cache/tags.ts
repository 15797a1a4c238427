import { cacheError } from './errors.ts'
import { TAG_CHARS_MAX } from './limits.ts'

/** The tags without repetitions. Throws CACHE_TAGS_INVALID. */
export function checkedTags(tags: readonly string[], countMax: number): readonly string[] {
  const distinct = tags.length > 1 ? [...new Set(tags)] : tags
  if (distinct.length > countMax) {
    throw cacheError('CACHE_TAGS_INVALID', `${distinct.length} tags at once: at most ${countMax}`)
  }
  for (const tag of distinct) assertTag(tag)
  return distinct
}

function assertTag(tag: string): void {
  if (tag.length === 0 || tag.length > TAG_CHARS_MAX) {
    throw cacheError('CACHE_TAGS_INVALID', `a tag has ${tag.length} characters: 1 to ${TAG_CHARS_MAX} are possible`)
  }
  if (tag.includes('\0') || !tag.isWellFormed()) {
    throw cacheError(
      'CACHE_TAGS_INVALID',
      'a tag holds a NUL or half of a surrogate pair, which PostgreSQL has no text for',
    )
  }
}
