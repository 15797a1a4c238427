import type { GatewayTarget, GatewayUpstream, TargetHealth } from '../../../src/console/index.ts'
import { Quiet } from '../parts/columns.tsx'
import { Empty } from '../parts/panel.tsx'
import { type Column, SortableTable } from '../parts/sortable-table.tsx'
import type { TableProps } from './entity-tables.tsx'
import { matches } from './scope.ts'

type Row = { readonly upstream: GatewayUpstream; readonly target: GatewayTarget | undefined }

const columns: readonly Column<Row>[] = [
  {
    id: 'upstream',
    label: 'Upstream',
    value: ({ upstream }) => upstream.name,
    cell: ({ upstream }) => (
      <>
        <b>{upstream.name}</b> <Quiet>{upstream.algorithm}</Quiet>
      </>
    ),
  },
  {
    id: 'target',
    label: 'Target',
    value: ({ target }) => target?.target,
    cell: ({ target }) => target?.target ?? <Quiet>no target: answers 503</Quiet>,
  },
  {
    id: 'health',
    label: 'Health',
    value: ({ target }) => target?.health,
    cell: ({ target }) => target !== undefined && <Health health={target.health} />,
  },
  {
    id: 'breaker',
    label: 'Circuit breaker',
    value: ({ target }) => breakersOf(target).join(),
    cell: ({ target }) =>
      breakersOf(target).map((state) => (
        <span key={state} className={`state ${BREAKERS[state] ?? ''}`}>
          {state}
        </span>
      )),
  },
  {
    id: 'addresses',
    label: 'Addresses',
    cell: ({ target }) => <Quiet>{target?.addresses.map(({ address }) => address).join(', ')}</Quiet>,
  },
  { id: 'weight', label: 'Weight', isNumber: true, value: weightOf, cell: weightOf },
  { id: 'inFlight', label: 'In flight', isNumber: true, value: inFlightOf, cell: inFlightOf },
]

/** The targets of all upstreams, as the gateway that answers sees them. */
export function UpstreamTable({ configuration, filter }: TableProps) {
  const rows = configuration.upstreams
    .flatMap((upstream): readonly Row[] =>
      upstream.targets.length === 0
        ? [{ upstream, target: undefined }]
        : upstream.targets.map((target) => ({ upstream, target })),
    )
    .filter(({ upstream, target }) => matches(filter, upstream.name, target?.target, target?.health))
  if (rows.length === 0) {
    const hasAny = configuration.upstreams.length > 0
    return (
      <Empty headline={hasAny ? 'No target fits' : 'No upstreams'}>
        {hasAny ? 'Change the filter.' : 'Services go to their own hosts. Create an upstream to balance over several.'}
      </Empty>
    )
  }
  return (
    <SortableTable
      id="gw-upstreams"
      caption="Targets of upstreams with their health"
      columns={columns}
      rows={rows}
      keyOf={({ upstream, target }) => target?.id ?? upstream.id}
      initial={{ column: 'upstream', direction: 'ascending' }}
    />
  )
}

const TONES: Readonly<Record<TargetHealth, string>> = {
  HEALTHY: 'green',
  UNHEALTHY: 'red',
  DNS_ERROR: 'red',
  HEALTHCHECKS_OFF: '',
}

/** Kong's words, which its operators know. */
function Health({ health }: { readonly health: TargetHealth }) {
  return <span className={`state ${TONES[health]}`}>{health}</span>
}

const BREAKERS: Readonly<Record<string, string>> = { open: 'red', 'half-open': 'orange', closed: 'green' }

function breakersOf(target: GatewayTarget | undefined): readonly string[] {
  return [...new Set(target?.addresses.flatMap(({ breaker }) => breaker ?? []))]
}

function weightOf({ target }: Row): number | undefined {
  return target?.weight
}

function inFlightOf({ target }: Row): number | undefined {
  return target?.addresses.reduce((sum, { inFlight }) => sum + inFlight, 0)
}
