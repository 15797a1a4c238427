import type { GatewayConfiguration, GatewayPlugin } from '../../../src/console/index.ts'
import { count, text } from '../format.ts'
import { Empty, Panel } from '../parts/panel.tsx'
import { useLive } from '../store/live.ts'
import { setParameters } from '../store/router.ts'
import { pluginsInForce } from './in-force.ts'
import { namesOf, type Subject, scopeOf } from './scope.ts'
import { rejectionsOf } from './traffic.ts'

export type InForcePanelProps = { readonly configuration: GatewayConfiguration; readonly subject: Subject }

/** What runs for what is chosen, in order: the answer to "why was this refused". */
export function InForcePanel({ configuration, subject }: InForcePanelProps) {
  const plugins = pluginsInForce(configuration, subject)
  return (
    <Panel title="Plugins in force" area="span-4" note="in the order in which they run">
      {plugins.length === 0 ? (
        <Empty headline="No plugin is in force here" />
      ) : (
        <ol className="in-force">
          {plugins.map((plugin) => (
            <PluginItem key={plugin.id} configuration={configuration} plugin={plugin} />
          ))}
        </ol>
      )}
    </Panel>
  )
}

type PluginItemProps = { readonly configuration: GatewayConfiguration; readonly plugin: GatewayPlugin }

function PluginItem({ configuration, plugin }: PluginItemProps) {
  const { series, range } = useLive()
  const { refused } = rejectionsOf(series, plugin.id, range)
  const scope = scopeOf(plugin, namesOf(configuration)).map(({ kind, name }) => `${kind} ${name}`)
  return (
    <li>
      <button type="button" className="plain" onClick={() => setParameters({ plugin: plugin.id })}>
        <b className="route">{plugin.name}</b> <span className="quiet">{scope.join(', ') || 'everything'}</span>
      </button>
      {refused > 0 && <span className="figure orange">{text(count(Math.round(refused)))} refused</span>}
    </li>
  )
}
