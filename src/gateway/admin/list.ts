import { invalidOffset, invalidOption, invalidSize } from '../config/api-error.ts'
import type { PageOptions } from '../config/entities.ts'
import { PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX, TAGS_MAX } from '../config/limits.ts'
import { isUuid } from '../config/values.ts'
import { type Answer, ok } from './answer.ts'

/** Reads `size`, `offset` and, where they count, `tags` of a list's query. */
export function pageOptions(query: URLSearchParams, withTags: boolean): PageOptions {
  const offset = query.get('offset')
  return {
    size: sizeOf(query.get('size')),
    after: offset === null ? undefined : decodeOffset(offset),
    tags: withTags ? tagsOf(query.get('tags')) : undefined,
  }
}

/** `next` is null on the last page; `offset` is there only when it is not. */
export function listAnswer(
  path: string,
  page: { data: readonly unknown[]; next: string | undefined },
  query: URLSearchParams,
): Answer {
  if (page.next === undefined) return ok({ data: page.data, next: null })
  const offset = encodeOffset(page.next)
  const parts = [['offset', offset], ...[...query].filter(([name]) => name === 'tags' || name === 'size')]
  const text = parts.map(([name, value]) => `${name}=${encodeURIComponent(value ?? '')}`).join('&')
  return ok({ data: page.data, next: `${path}?${text}`, offset })
}

function sizeOf(text: string | null): number {
  if (text === null) return PAGE_SIZE_DEFAULT
  const size = text.trim() === '' ? Number.NaN : Number(text)
  if (Number.isNaN(size)) throw invalidSize('size must be a number')
  if (Number.isInteger(size) && size >= 1 && size <= PAGE_SIZE_MAX) return size
  throw invalidSize(`size must be an integer between 1 and ${PAGE_SIZE_MAX}`)
}

/** An offset is the base64 of a JSON list with the last id of the page before, as in Kong. */
const encodeOffset = (id: string) => Buffer.from(JSON.stringify([id])).toString('base64')

/** With its padding or without; a single character too many is none. */
export function isBase64(text: string): boolean {
  return /^[A-Za-z0-9+/]+={0,2}$/.test(text) && text.replace(/=+$/, '').length % 4 !== 1
}

function decodeOffset(offset: string): string {
  if (!isBase64(offset)) throw invalidOffset(offset, 'bad base64 encoding')
  const [, id] = /^\["([^"]*)"\]$/.exec(Buffer.from(offset, 'base64').toString()) ?? []
  if (!isUuid(id)) throw invalidOffset(offset, 'bad offset token')
  return id
}

function tagsOf(text: string | null): PageOptions['tags'] {
  if (text === null) return undefined
  if (text === '') throw invalidOption('tags', 'cannot be null')
  if (text.includes(',') && text.includes('/')) throw invalidOption('tags', 'invalid filter syntax')
  const values = text.split(/[,/]/).filter((tag) => tag !== '')
  if (values.length === 0 || text.includes('\0')) throw invalidOption('tags', 'invalid filter syntax')
  if (values.length > TAGS_MAX) throw invalidOption('tags', `cannot have more than ${TAGS_MAX} tags`)
  return { values, match: text.includes('/') ? 'any' : 'all' }
}
