import { useState } from 'react'
import type { GatewayConfiguration } from '../../../src/console/index.ts'
import { Filter } from '../parts/filter.tsx'
import { Empty, Panel } from '../parts/panel.tsx'
import { setParameters, useAddress } from '../store/router.ts'
import { unlock, useGateway } from './admin.ts'
import { ConsumerTable, RouteTable, ServiceTable } from './entity-tables.tsx'
import { PluginDrawer } from './plugin-drawer.tsx'
import { PluginTable } from './plugin-table.tsx'
import { TrafficCharts } from './traffic-charts.tsx'
import { UpstreamTable } from './upstream-table.tsx'

/** The gateway: what it is configured to do, what it does, and its plugins to change. */
export function GatewayView() {
  const gateway = useGateway()
  if (gateway.kind === 'ready') return <Gateway configuration={gateway.configuration} />
  return (
    <div className="sheet">
      <Panel title="Gateway" area="span-12">
        {gateway.kind === 'none' && (
          <Empty headline="No gateway runs in this process">
            Set ADMIN_URL to the Admin API of one that runs elsewhere, such as http://127.0.0.1:8001.
          </Empty>
        )}
        {gateway.kind === 'failed' && <Empty headline="The gateway cannot be read">{gateway.message}.</Empty>}
        {gateway.kind === 'locked' && <TokenForm wasGiven={gateway.wasGiven} />}
      </Panel>
    </div>
  )
}

const TABS = [
  { id: 'routes', label: 'Routes', Table: RouteTable },
  { id: 'services', label: 'Services', Table: ServiceTable },
  { id: 'consumers', label: 'Consumers', Table: ConsumerTable },
  { id: 'plugins', label: 'Plugins', Table: PluginTable },
  { id: 'upstreams', label: 'Upstreams', Table: UpstreamTable },
] as const

function Gateway({ configuration }: { readonly configuration: GatewayConfiguration }) {
  const { tab = '', filter = '', plugin = '' } = useAddress().parameters
  const { id: shown, Table } = TABS.find(({ id }) => id === tab) ?? TABS[0]
  return (
    <>
      <div className="sheet">
        <TrafficCharts configuration={configuration} />
        <section className="panel span-12" aria-label="Configuration">
          <header className="tabs">
            <div role="tablist" aria-label="Entities">
              {TABS.map(({ id, label }) => (
                <button
                  key={id}
                  type="button"
                  role="tab"
                  aria-selected={id === shown}
                  onClick={() => setParameters({ tab: id })}
                >
                  {label} <small>{configuration[id].length}</small>
                </button>
              ))}
            </div>
            <Notes configuration={configuration} />
            <Filter id="gateway-filter" placeholder="Name, path, plugin …  /" />
            {!configuration.isReadOnly && (
              <button type="button" className="act" onClick={() => setParameters({ plugin: 'new' })}>
                Add plugin
              </button>
            )}
          </header>
          <Table configuration={configuration} filter={filter} />
        </section>
      </div>
      {plugin !== '' && <PluginDrawer key={plugin} configuration={configuration} pluginId={plugin} />}
    </>
  )
}

function Notes({ configuration: { isReadOnly, incomplete } }: { readonly configuration: GatewayConfiguration }) {
  return (
    <>
      {isReadOnly && <span className="note">read from a file: change it there</span>}
      {incomplete.length > 0 && <span className="note">there are more {incomplete.join(', ')} than are shown</span>}
    </>
  )
}

function TokenForm({ wasGiven }: { readonly wasGiven: boolean }) {
  const [token, setToken] = useState('')
  return (
    <form
      className="empty token"
      onSubmit={(event) => {
        event.preventDefault()
        unlock(token)
      }}
    >
      <b>The Admin API wants its token</b>
      <p>{wasGiven ? 'That was not it.' : 'ADMIN_TOKEN of the gateway. It is kept in this tab, and nowhere else.'}</p>
      <div className="with-button">
        <input
          type="password"
          autoComplete="off"
          aria-label="Token of the Admin API"
          value={token}
          onChange={(event) => setToken(event.target.value)}
        />
        <button type="submit" className="act">
          Unlock
        </button>
      </div>
    </form>
  )
}
