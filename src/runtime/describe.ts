import type { Access, App, ServiceDeclaration } from '../core/index.ts'
import type { OpenCluster } from '../data/index.ts'
import { routesOf } from './gateway-routes.ts'
import type { Topology } from './topology.ts'

export type Addresses = {
  /** `none` for a gateway alone whose configuration is a file. */
  readonly databases: 'DATABASE_URLS' | 'embedded' | 'none'
  readonly gateway?: string
  readonly admin?: string
  readonly console?: string
  readonly services?: string
  /** The broker of EVENTS_URL, without its password. */
  readonly events?: string
}

export type Description = {
  readonly app: App
  readonly topology: Topology
  readonly addresses: Addresses
  readonly shards: OpenCluster['shards']
  /** The key of a consumer of the gateway, if this process runs it. */
  readonly keyOf: ((consumer: string) => string | undefined) | undefined
}

/** The table that a start prints: services, routes, events, shards, addresses, and a request that works. */
export async function describeApp(description: Description): Promise<string> {
  const { app, topology, addresses, shards } = description
  return [
    '',
    ...serviceTable(app, topology),
    '',
    ...(shards.length === 0 ? [] : [...shardTable(shards), '']),
    ...addressLines(addresses, topology),
    ...siteLines(app, addresses),
    ...requestLines(description),
    '',
  ].join('\n')
}

function shardTable(shards: Description['shards']): string[] {
  const rows = shards.map(({ index, label }) => [
    `${index}${index === 0 ? ' (home)' : ''}`,
    label,
    `id mod ${shards.length} = ${index}`,
  ])
  return table(['SHARD', 'DATABASE', 'USERS'], rows)
}

function serviceTable(app: App, topology: Topology): string[] {
  const rows = app.services.flatMap((service) => serviceRows(service, topology))
  return table(['SERVICE', 'ROUTES', 'KEY', 'CONSUMES', 'EMITS'], rows)
}

/** One row per line of the tallest column: routes, consumed events and emitted events side by side. */
function serviceRows(service: ServiceDeclaration, topology: Topology): string[][] {
  const here = topology.services.includes(service)
  const routes = routesOf(service)
  const consumed = service.consumers.map((consumer) => consumer.event.name)
  const emitted = service.emits.map((type) => type.name)
  const height = Math.max(1, routes.length, consumed.length, emitted.length)
  return Array.from({ length: height }, (_, line) => {
    const route = routes[line]
    return [
      line === 0 ? `${service.name}${here ? '' : ' (elsewhere)'}` : '',
      route === undefined ? '' : `${route.method.padEnd(4)} ${route.path}`,
      route === undefined ? '' : keyWord(route.spec.access),
      consumed[line] ?? '',
      emitted[line] ?? '',
    ]
  })
}

function keyWord(access: Access | undefined): string {
  if (access === undefined || access === 'public') return '-'
  return access === 'key' ? 'any' : access.consumers.join(', ')
}

function addressLines(addresses: Addresses, topology: Topology): string[] {
  const lines: [string, string | undefined][] = [
    ['gateway', addresses.gateway],
    ['Admin API', addresses.admin],
    ['console', addresses.console],
    [topology.services.length > 0 ? 'services' : 'probes', addresses.services],
    ['events', addresses.events],
  ]
  return lines.filter(([, url]) => url !== undefined).map(([name, url]) => `${name.padEnd(10)} ${url}`)
}

function siteLines({ sites }: App, { gateway }: Addresses): string[] {
  if (gateway === undefined) return []
  return sites.map(({ name, path }) => `${name.padEnd(10)} ${gateway}${path}`)
}

function requestLines({ app, addresses, keyOf }: Description): string[] {
  const consumer = app.gateway.consumers[0]
  const key = consumer === undefined ? undefined : keyOf?.(consumer)
  const example = app.gateway.example
  if (addresses.gateway === undefined || key === undefined || example === undefined) return []
  const body =
    example.body === undefined ? '' : ` \\\n  -H 'content-type: application/json' -d '${JSON.stringify(example.body)}'`
  const keys = app.gateway.consumers.map((name) => `${name}: ${keyOf?.(name)}`).join('   ')
  return [
    `${'keys'.padEnd(10)} ${keys}`,
    '',
    'Try it:',
    `curl -i -X ${example.method} ${addresses.gateway}${example.path} -H 'apikey: ${key}'${body}`,
  ]
}

/** Plain columns, two spaces apart, as wide as their content. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)))
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd()
  return [line(head), ...rows.map(line)]
}
