import { useState } from 'react'
import type { GatewayConfiguration, GatewayPlugin } from '../../../src/console/index.ts'
import { Sparkline } from '../charts/sparkline.tsx'
import { count, rate, text } from '../format.ts'
import { AskTwice } from '../parts/ask-twice.tsx'
import { Drawer } from '../parts/drawer.tsx'
import { Empty } from '../parts/panel.tsx'
import { useLive } from '../store/live.ts'
import { setParameters } from '../store/router.ts'
import { type ChangeResult, changePlugin, deletePlugin, useSchema } from './admin.ts'
import { NewPlugin } from './new-plugin.tsx'
import { PluginForm } from './plugin-form.tsx'
import { namesOf, scopeOf } from './scope.ts'
import { rejectionsOf } from './traffic.ts'

export type PluginDrawerProps = {
  readonly configuration: GatewayConfiguration
  /** `new` for one to add. */
  readonly pluginId: string
}

/** One plugin to look at and to change, beside the page: what it refuses goes on being seen. */
export function PluginDrawer({ configuration, pluginId }: PluginDrawerProps) {
  const plugin = configuration.plugins.find(({ id }) => id === pluginId)
  const title = pluginId === 'new' ? 'Add a plugin' : (plugin?.name ?? 'Plugin')
  return (
    <Drawer title={title} onClose={closeDrawer}>
      {pluginId === 'new' && <NewPlugin configuration={configuration} />}
      {pluginId !== 'new' && plugin === undefined && <Empty headline="There is no such plugin any more" />}
      {plugin !== undefined && <EditPlugin key={plugin.id} configuration={configuration} plugin={plugin} />}
    </Drawer>
  )
}

export function closeDrawer(): void {
  setParameters({ plugin: '' })
}

type EditPluginProps = { readonly configuration: GatewayConfiguration; readonly plugin: GatewayPlugin }

function EditPlugin({ configuration, plugin }: EditPluginProps) {
  const schema = useSchema(plugin.name)
  const { isReadOnly } = configuration
  return (
    <>
      <dl className="facts">
        <div>
          <dt>applies to</dt>
          <dd>
            <ScopeWords configuration={configuration} plugin={plugin} />
          </dd>
        </div>
        <div>
          <dt>refused</dt>
          <dd>
            <RefusedWords plugin={plugin} />
          </dd>
        </div>
        {!isReadOnly && (
          <div>
            <dt>enabled</dt>
            <dd>
              <EnabledSwitch plugin={plugin} />
            </dd>
          </div>
        )}
      </dl>
      {schema !== undefined && (
        <PluginForm
          schema={schema}
          config={plugin.config}
          isReadOnly={isReadOnly}
          saveLabel="Save"
          mayBeUnchanged={false}
          onSave={(changes) => changePlugin(plugin.id, { config: changes })}
        />
      )}
      {!isReadOnly && <DeleteButton plugin={plugin} />}
    </>
  )
}

export function ScopeWords({ configuration, plugin }: EditPluginProps) {
  const scope = scopeOf(plugin, namesOf(configuration))
  if (scope.length === 0) return <span>everything</span>
  return scope.map(({ kind, id, name }, index) => (
    <span key={kind}>
      {index > 0 && ', '}
      <span className="quiet">{kind}</span>{' '}
      <button
        type="button"
        className="link"
        onClick={() => setParameters({ tab: `${kind}s`, of: `${kind}:${id}`, filter: '' })}
      >
        {name}
      </button>
    </span>
  ))
}

function RefusedWords({ plugin }: { readonly plugin: GatewayPlugin }) {
  const { series, range } = useLive()
  const { name, refused, perSecond } = rejectionsOf(series, plugin.id, range)
  return (
    <span className="refused">
      <b className={refused > 0 ? 'orange' : ''}>{text(count(Math.round(refused)))}</b>
      <span className="quiet">in the time on screen, {text(rate(perSecond))} now</span>
      <Sparkline name={name} tone="orange" />
    </span>
  )
}

/** Acts at once. */
export function EnabledSwitch({ plugin }: { readonly plugin: GatewayPlugin }) {
  const [problem, setProblem] = useState('')
  const [isBusy, setBusy] = useState(false)
  const turn = async (enabled: boolean) => {
    setBusy(true)
    setProblem(messageOf(await changePlugin(plugin.id, { enabled })))
    setBusy(false)
  }
  return (
    <>
      <input
        type="checkbox"
        className="switch"
        aria-label={`${plugin.name} enabled`}
        disabled={isBusy}
        checked={plugin.enabled}
        onChange={({ target }) => void turn(target.checked)}
      />
      {problem !== '' && <span className="message">{problem}</span>}
    </>
  )
}

/** Asks once more, since nothing brings a plugin back. */
function DeleteButton({ plugin }: { readonly plugin: GatewayPlugin }) {
  const remove = async () => {
    const result = await deletePlugin(plugin.id)
    if (result.ok) closeDrawer()
    return messageOf(result)
  }
  return (
    <p className="danger">
      <AskTwice
        label="Delete …"
        question="What it guards is open at once."
        yes="Delete it"
        no="Keep it"
        isDanger
        act={remove}
      />
    </p>
  )
}

function messageOf(result: ChangeResult): string {
  return result.ok ? '' : result.message
}
