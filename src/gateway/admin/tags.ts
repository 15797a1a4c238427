import { invalidOffset } from '../config/api-error.ts'
import type { Catalog } from '../config/catalog.ts'
import type { ConfigStore, Entity } from '../config/entities.ts'
import { PAGE_SIZE_MAX } from '../config/limits.ts'
import { type Answer, type Endpoint, ok } from './answer.ts'
import { isBase64, pageOptions } from './list.ts'

type Tagged = { readonly tag: string; readonly entity_name: string; readonly entity_id: string }

/**
 * `/tags` and `/tags/{tag}`: which entity of which kind has which tag, by tag, kind and id. Reads the whole
 * configuration, which is fine for what an operator asks now and then.
 */
export function tagsAt(
  segments: readonly string[],
  parts: { store: ConfigStore; catalog: Catalog },
): Endpoint | undefined {
  const [first, tag, ...rest] = segments
  if (first !== 'tags' || rest.length > 0) return undefined
  const path = tag === undefined ? '/tags' : `/tags/${encodeURIComponent(tag)}`
  return {
    GET: async ({ query }) => {
      const all = await taggedIn(parts)
      return pageOf(path, tag === undefined ? all : all.filter((each) => each.tag === tag), query)
    },
  }
}

function pageOf(path: string, tagged: readonly Tagged[], query: URLSearchParams): Answer {
  const { size } = pageOptions(new URLSearchParams([...query].filter(([name]) => name === 'size')), false)
  const start = startOf(query.get('offset'))
  const data = tagged.slice(start, start + size)
  if (start + size >= tagged.length) return ok({ data, next: null })
  const offset = Buffer.from(JSON.stringify([start + size])).toString('base64')
  const sized = query.get('size') === null ? '' : `&size=${size}`
  return ok({ data, next: `${path}?offset=${encodeURIComponent(offset)}${sized}`, offset })
}

function startOf(offset: string | null): number {
  if (offset === null) return 0
  if (!isBase64(offset)) throw invalidOffset(offset, 'bad base64 encoding')
  const [, start] = /^\[(\d{1,9})\]$/.exec(Buffer.from(offset, 'base64').toString()) ?? []
  if (start === undefined) throw invalidOffset(offset, 'bad offset token')
  return Number(start)
}

async function taggedIn({ store, catalog }: { store: ConfigStore; catalog: Catalog }): Promise<readonly Tagged[]> {
  const lists = await Promise.all(catalog.kinds.map(async ({ name }) => tagsOf(name, await everyOne(store, name))))
  const keyOf = ({ tag, entity_name, entity_id }: Tagged) => `${tag}/${entity_name}/${entity_id}`
  return lists.flat().toSorted((left, right) => (keyOf(left) < keyOf(right) ? -1 : 1))
}

function tagsOf(kind: string, entities: readonly Entity[]): readonly Tagged[] {
  return entities.flatMap(({ id, tags }) =>
    (Array.isArray(tags) ? tags : []).map((tag) => ({
      tag: String(tag),
      entity_name: kind,
      entity_id: String(id),
    })),
  )
}

async function everyOne(store: ConfigStore, kind: string): Promise<readonly Entity[]> {
  const found: Entity[] = []
  let after: string | undefined
  do {
    const page = await store.page(kind, { size: PAGE_SIZE_MAX, after })
    found.push(...page.entities)
    after = page.next
  } while (after !== undefined)
  return found
}
