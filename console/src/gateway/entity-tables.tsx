import type { ReactNode } from 'react'
import type { GatewayConfiguration, GatewayConsumer, GatewayRoute, GatewayService } from '../../../src/console/index.ts'
import { Sparkline } from '../charts/sparkline.tsx'
import { duration, rate } from '../format.ts'
import { errors, number, Quiet } from '../parts/columns.tsx'
import { Empty } from '../parts/panel.tsx'
import { type Column, SortableTable } from '../parts/sortable-table.tsx'
import { useLive } from '../store/live.ts'
import { setParameters } from '../store/router.ts'
import { seriesName } from '../store/series.ts'
import { consumerName, matches, matchOf, namesOf, pluginCounts, routeName, type Subject } from './scope.ts'
import { latencyName, OTHERS, type Traffic, trafficOf } from './traffic.ts'
import { choose, nobody, useSubject } from './traffic-charts.tsx'

export type TableProps = { readonly configuration: GatewayConfiguration; readonly filter: string }

/** A row of services, routes or consumers, with its traffic. */
type Row<Entity> = Traffic & {
  readonly subject: Subject
  readonly name: string
  /** Undefined for requests that have none of the kind. */
  readonly entity: Entity | undefined
  readonly plugins: number
}

export function RouteTable({ configuration, filter }: TableProps) {
  const names = namesOf(configuration)
  const serviceOf = (route: GatewayRoute | undefined) =>
    route?.service === undefined ? '' : names.service(route.service)
  const columns: readonly Column<Row<GatewayRoute>>[] = [
    {
      id: 'route',
      label: 'Route',
      value: ({ entity, name }) => (entity === undefined ? name : entity.paths.join()),
      cell: (row) => <Choice row={row}>{row.entity === undefined ? row.name : <Match route={row.entity} />}</Choice>,
    },
    { id: 'name', label: 'Name', value: (row) => row.name, cell: (row) => <Quiet>{row.entity && row.name}</Quiet> },
    ...trafficColumns<GatewayRoute>(),
  ]
  const rows = useRows('route', configuration.routes, {
    nameOf: routeName,
    isShown: (route) =>
      matches(
        filter,
        ...Object.values(matchOf(route)),
        route.name,
        serviceOf(route),
        ...pluginsOf(configuration, route),
      ),
    configuration,
  })
  return <EntityTable id="gw-routes" caption="Routes of the gateway" columns={columns} rows={rows} />
}

function Match({ route }: { readonly route: GatewayRoute }) {
  const { method, where } = matchOf(route)
  return (
    <span className="route">
      <span className="method">{method}</span> {where}
    </span>
  )
}

export function ServiceTable({ configuration, filter }: TableProps) {
  const routes = new Map<string | undefined, number>()
  for (const { service } of configuration.routes) routes.set(service, (routes.get(service) ?? 0) + 1)
  const columns: readonly Column<Row<GatewayService>>[] = [
    {
      id: 'service',
      label: 'Service',
      value: (row) => row.name,
      cell: (row) => (
        <Choice row={row}>
          <b>{row.name}</b>
          {row.entity?.enabled === false && <span className="tag">disabled</span>}
        </Choice>
      ),
    },
    { id: 'url', label: 'Where', cell: ({ entity }) => <Quiet>{entity?.url}</Quiet> },
    number('routes', 'Routes', { value: ({ subject }) => routes.get(subject.id) ?? 0, quantity: plain }),
    ...trafficColumns<GatewayService>(),
  ]
  const rows = useRows('service', configuration.services, {
    nameOf: ({ name, host }) => name ?? host,
    isShown: (service) => matches(filter, service.name, service.url, ...pluginsOf(configuration, service)),
    configuration,
  })
  return <EntityTable id="gw-services" caption="Services of the gateway" columns={columns} rows={rows} />
}

export function ConsumerTable({ configuration, filter }: TableProps) {
  const columns: readonly Column<Row<GatewayConsumer>>[] = [
    {
      id: 'consumer',
      label: 'Consumer',
      value: (row) => row.name,
      cell: (row) => (
        <Choice row={row}>
          {row.entity === undefined ? row.name : <b>{row.name}</b>} <Quiet>{row.entity?.customId}</Quiet>
        </Choice>
      ),
    },
    { id: 'credentials', label: 'Credentials', cell: ({ entity }) => <Quiet>{credentialWords(entity)}</Quiet> },
    { id: 'groups', label: 'Groups', cell: ({ entity }) => <Quiet>{entity?.groups.join(', ')}</Quiet> },
    ...trafficColumns<GatewayConsumer>(),
  ]
  const rows = useRows('consumer', configuration.consumers, {
    nameOf: consumerName,
    isShown: (consumer) =>
      matches(filter, consumer.username, consumer.customId, ...consumer.groups, ...pluginsOf(configuration, consumer)),
    configuration,
  })
  return <EntityTable id="gw-consumers" caption="Consumers of the gateway" columns={columns} rows={rows} />
}

function credentialWords(consumer: GatewayConsumer | undefined): string {
  const entries = Object.entries(consumer?.credentials ?? {})
  return entries.map(([kind, count]) => (count === 1 ? kind : `${count} × ${kind}`)).join(', ')
}

const plain = (value: number | undefined) => ({ value: String(value ?? 0), unit: '' })

type EntityTableProps<Entity> = {
  readonly id: string
  readonly caption: string
  readonly columns: readonly Column<Row<Entity>>[]
  readonly rows: readonly Row<Entity>[]
}

function EntityTable<Entity>({ id, caption, columns, rows }: EntityTableProps<Entity>) {
  const chosen = useSubject()
  if (rows.length === 0)
    return <Empty headline="Nothing fits">Change the filter, or create one by the Admin API.</Empty>
  const isCut = rows.length > ROWS_MAX
  const shown = isCut ? rows.toSorted((one, other) => other.perSecond - one.perSecond).slice(0, ROWS_MAX) : rows
  return (
    <>
      {isCut && (
        <p className="note">
          The {ROWS_MAX} busiest of {rows.length.toLocaleString('en-US')}: filter to see others.
        </p>
      )}
      <SortableTable
        id={id}
        caption={caption}
        columns={columns}
        rows={shown}
        keyOf={({ subject }) => `${subject.kind} ${subject.id}`}
        initial={{ column: 'perSecond', direction: 'descending' }}
        classOf={({ subject: { kind, id: entity }, perSecond }) => {
          const isChosen = chosen.kind === kind && chosen.id === entity
          return `${isChosen ? 'selected' : ''} ${perSecond === 0 ? 'idle' : ''}`
        }}
      />
    </>
  )
}

/** Rows that a browser lays out anew each second without being felt. */
const ROWS_MAX = 300

type RowOptions<Entity> = {
  readonly nameOf: (entity: Entity) => string
  readonly isShown: (entity: Entity) => boolean
  readonly configuration: GatewayConfiguration
}

/** The entities that the filter leaves, and what had none of the kind where there was such traffic. */
function useRows<Entity extends { readonly id: string }>(
  kind: 'service' | 'route' | 'consumer',
  entities: readonly Entity[],
  { nameOf, isShown, configuration }: RowOptions<Entity>,
): readonly Row<Entity>[] {
  const { series, range } = useLive()
  const counts = pluginCounts(configuration.plugins)
  const rowOf = (id: string, entity: Entity | undefined): Row<Entity> => ({
    ...trafficOf(series, { kind, id }, range),
    subject: { kind, id },
    name: entity === undefined ? nobody(kind, id) : nameOf(entity),
    entity,
    plugins: counts.get(id) ?? 0,
  })
  const rows = entities
    .filter(isShown)
    .map((entity) => rowOf(entity.id, entity))
    // What is equal in the column that the table is ordered by stays in this order.
    .sort((one, other) => (one.name < other.name ? -1 : 1))
  if (rows.length < entities.length) return rows
  const without = ['', OTHERS].filter((id) => series.column(seriesName('traffic', kind, id, 'perSecond')).length > 0)
  return [...rows, ...without.map((id) => rowOf(id, undefined))]
}

/** Kinds of plugins on an entity, so that a filter finds what is guarded by one. */
function pluginsOf({ plugins }: GatewayConfiguration, { id }: { readonly id: string }): readonly string[] {
  return plugins
    .filter(({ service, route, consumer }) => service === id || route === id || consumer === id)
    .map(({ name }) => name)
}

function trafficColumns<Entity>(): readonly Column<Row<Entity>>[] {
  return [
    {
      id: 'plugins',
      label: 'Plugins',
      isNumber: true,
      value: (row) => row.plugins,
      cell: ({ entity, plugins, name }) =>
        entity === undefined ? null : (
          <button
            type="button"
            className={plugins === 0 ? 'quiet link' : 'link'}
            title={`Plugins of ${name}`}
            onClick={() => setParameters({ tab: 'plugins', filter: name })}
          >
            {plugins}
          </button>
        ),
    },
    {
      id: 'trend',
      label: 'Requests',
      cell: ({ subject }) => <Sparkline name={seriesName(latencyName(subject), 'perSecond')} />,
    },
    number('perSecond', 'Rate', { value: (row) => row.perSecond, quantity: rate }),
    number('p50Ms', 'P50', { value: (row) => row.p50Ms, quantity: duration }),
    number('p95Ms', 'P95', { value: (row) => row.p95Ms, quantity: duration }),
    number('p99Ms', 'P99', { value: (row) => row.p99Ms, quantity: duration }),
    number('refused', '4xx', { value: (row) => row.refused, quantity: wholeCount }),
    errors('failed', '5xx', (row) => row.failed),
  ]
}

const wholeCount = (value: number | undefined) => ({ value: Math.round(value ?? 0).toLocaleString('en-US'), unit: '' })

function Choice<Entity>({ row, children }: { readonly row: Row<Entity>; readonly children: ReactNode }) {
  return (
    <button type="button" className="plain" onClick={() => choose(row.subject)}>
      {children}
    </button>
  )
}
