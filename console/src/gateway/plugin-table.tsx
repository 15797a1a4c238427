import type { GatewayPlugin } from '../../../src/console/index.ts'
import { Sparkline } from '../charts/sparkline.tsx'
import { count, rate } from '../format.ts'
import { number } from '../parts/columns.tsx'
import { Figure } from '../parts/figure.tsx'
import { Empty } from '../parts/panel.tsx'
import { type Column, SortableTable } from '../parts/sortable-table.tsx'
import { useLive } from '../store/live.ts'
import { setParameters, useAddress } from '../store/router.ts'
import { useSchemas } from './admin.ts'
import type { TableProps } from './entity-tables.tsx'
import { EnabledSwitch, ScopeWords } from './plugin-drawer.tsx'
import { formFields, summaryOf } from './schema.ts'
import { matches, namesOf, scopeOf } from './scope.ts'
import { rejectionsOf } from './traffic.ts'

type Row = {
  readonly plugin: GatewayPlugin
  readonly scope: string
  readonly settings: string
  readonly rejections: string
  readonly refused: number
  readonly perSecond: number
}

/** Every configured plugin: what it is for, how it is set, and what it refuses. */
export function PluginTable({ configuration, filter }: TableProps) {
  const rows = useRows({ configuration, filter })
  const { plugin: open } = useAddress().parameters
  const columns: readonly Column<Row>[] = [
    {
      id: 'plugin',
      label: 'Plugin',
      value: ({ plugin }) => plugin.name,
      cell: ({ plugin }) => (
        <button type="button" className="plain" onClick={() => setParameters({ plugin: plugin.id })}>
          <b className="route">{plugin.name}</b>
          {plugin.instanceName !== null && <span className="tag">{plugin.instanceName}</span>}
        </button>
      ),
    },
    {
      id: 'scope',
      label: 'Applies to',
      value: (row) => row.scope,
      cell: ({ plugin }) => <ScopeWords configuration={configuration} plugin={plugin} />,
    },
    {
      id: 'settings',
      label: 'Settings',
      cell: ({ settings }) => (
        <span className="settings" title={settings}>
          {settings}
        </span>
      ),
    },
    {
      id: 'enabled',
      label: 'Enabled',
      value: ({ plugin }) => Number(plugin.enabled),
      cell: ({ plugin }) =>
        configuration.isReadOnly ? plugin.enabled ? 'yes' : 'no' : <EnabledSwitch plugin={plugin} />,
    },
    { id: 'trend', label: 'Refusals', cell: (row) => <Sparkline name={row.rejections} tone="orange" /> },
    number('perSecond', 'Now', { value: (row) => row.perSecond, quantity: rate }),
    {
      id: 'refused',
      label: 'Refused',
      isNumber: true,
      value: (row) => row.refused,
      cell: ({ refused }) => <Figure quantity={count(Math.round(refused))} tone={refused > 0 ? 'orange' : 'quiet'} />,
    },
  ]
  if (rows.length === 0) return <Empty headline="No plugin fits">Change the filter, or add one.</Empty>
  return (
    <SortableTable
      id="gw-plugins"
      caption="Plugins of the gateway"
      columns={columns}
      rows={rows}
      keyOf={({ plugin }) => plugin.id}
      initial={{ column: 'refused', direction: 'descending' }}
      classOf={({ plugin }) => `${plugin.id === open ? 'selected' : ''} ${plugin.enabled ? '' : 'idle'}`}
    />
  )
}

function useRows({ configuration, filter }: TableProps): readonly Row[] {
  const { series, range } = useLive()
  const names = namesOf(configuration)
  const kinds = [...new Set(configuration.plugins.map(({ name }) => name))].sort()
  const schemaOf = useSchemas(kinds)
  return configuration.plugins
    .map((plugin): Row => {
      const scope = scopeOf(plugin, names)
      const schema = schemaOf(plugin.name)
      const { name: rejections, refused, perSecond } = rejectionsOf(series, plugin.id, range)
      return {
        plugin,
        scope: scope.map(({ kind, name }) => `${kind} ${name}`).join(', ') || 'everything',
        settings: schema === undefined ? '' : summaryOf(plugin.config, formFields(schema)),
        rejections,
        refused,
        perSecond,
      }
    })
    .filter(({ plugin, scope, settings }) => matches(filter, plugin.name, plugin.instanceName, scope, settings))
}
