import { ApiError } from '../config/api-error.ts'
import type { Catalog } from '../config/catalog.ts'
import { present } from '../config/prepare.ts'
import { InvalidDeclaration } from '../declarative/declaration.ts'
import { type DeclarativeStore, hashOf, type LoadedConfig } from '../declarative/declarative-store.ts'
import { type Answer, type Call, created, type Endpoint, ok } from './answer.ts'

/** `/config`: the whole configuration as one document, for a gateway without a database. */
export function configEndpoint(store: DeclarativeStore | undefined, catalog: Catalog): Endpoint {
  if (store === undefined) return { GET: onlyWithoutDatabase, POST: onlyWithoutDatabase }
  return {
    GET: () => ok({ config: store.document() }),
    POST: async (call) => replace(call, store, catalog),
  }
}

async function replace(call: Call, store: DeclarativeStore, catalog: Catalog): Promise<Answer> {
  const text = await call.document()
  if (isSet(call.query, 'check_hash') && hashOf(text) === store.hash) return { status: 304 }
  try {
    return created(entitiesById(store.load(text), catalog))
  } catch (error) {
    throw error instanceof InvalidDeclaration && isSet(call.query, 'flatten_errors') ? error.flattened() : error
  }
}

const isSet = (query: URLSearchParams, name: string) => ['1', 'true'].includes(query.get(name) ?? '')

/** `{ services: { '<id>': {…} } }`, with the kinds that there are. */
function entitiesById({ entities }: LoadedConfig, catalog: Catalog): unknown {
  const kinds = [...entities].filter(([, list]) => list.length > 0)
  return Object.fromEntries(
    kinds.map(([kind, list]) => [
      kind,
      Object.fromEntries(list.map((entity) => [entity.id, present(catalog, catalog.kind(kind), entity)])),
    ]),
  )
}

function onlyWithoutDatabase(): never {
  throw new ApiError(400, {
    message: 'this endpoint is only available when Kong is configured to not use a database',
  })
}
