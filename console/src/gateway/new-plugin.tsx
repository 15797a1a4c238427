import { useState } from 'react'
import type { GatewayConfiguration } from '../../../src/console/index.ts'
import { setParameters } from '../store/router.ts'
import { addPlugin, type ChangeResult, useSchema } from './admin.ts'
import { PluginForm } from './plugin-form.tsx'
import { defaultConfig, refusedScopes } from './schema.ts'
import { namesOf, SCOPE_KINDS, type ScopeKind } from './scope.ts'
import { useSubject } from './traffic-charts.tsx'
import type { Tree } from './tree.ts'

/** A plugin to add: which, for what, and its configuration. What is chosen in the tables is its scope to begin with. */
export function NewPlugin({ configuration }: { readonly configuration: GatewayConfiguration }) {
  const subject = useSubject()
  const [name, setName] = useState('')
  const [scope, setScope] = useState<Readonly<Partial<Record<ScopeKind, string>>>>(() =>
    subject.kind === 'all' || subject.id === '' ? {} : { [subject.kind]: subject.id },
  )
  const schema = useSchema(name)
  const refused = schema === undefined ? [] : refusedScopes(schema)
  const add = async (config: Tree): Promise<ChangeResult> => {
    const references = SCOPE_KINDS.flatMap((kind) => {
      const id = refused.includes(kind) ? undefined : scope[kind]
      return id === undefined || id === '' ? [] : [[kind, { id }] as const]
    })
    const result = await addPlugin({ name, config, ...Object.fromEntries(references) })
    if (result.ok && result.plugin !== undefined) setParameters({ plugin: result.plugin.id })
    return result
  }
  return (
    <>
      <div className="field">
        <label htmlFor="new-plugin">plugin</label>
        <div>
          <select id="new-plugin" value={name} onChange={({ target }) => setName(target.value)}>
            <option value="">choose one</option>
            {configuration.installed.toSorted().map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        </div>
      </div>
      {SCOPE_KINDS.filter((kind) => !refused.includes(kind)).map((kind) => (
        <ScopeField
          key={kind}
          kind={kind}
          configuration={configuration}
          value={scope[kind] ?? ''}
          onChange={(id) => setScope({ ...scope, [kind]: id })}
        />
      ))}
      {schema !== undefined && (
        <PluginForm
          key={name}
          schema={schema}
          config={defaultConfig(schema)}
          isReadOnly={false}
          saveLabel="Add"
          mayBeUnchanged
          onSave={add}
        />
      )}
    </>
  )
}

type ScopeFieldProps = {
  readonly kind: ScopeKind
  readonly configuration: GatewayConfiguration
  readonly value: string
  readonly onChange: (id: string) => void
}

function ScopeField({ kind, configuration, value, onChange }: ScopeFieldProps) {
  const names = namesOf(configuration)
  const entities = { service: configuration.services, route: configuration.routes, consumer: configuration.consumers }
  const options = entities[kind]
    .map(({ id }) => ({ id, name: names[kind](id) }))
    .toSorted((one, other) => one.name.localeCompare(other.name))
  return (
    <div className="field">
      <label htmlFor={`new-${kind}`}>{kind}</label>
      <div>
        <select id={`new-${kind}`} value={value} onChange={({ target }) => onChange(target.value)}>
          <option value="">any</option>
          {options.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </select>
      </div>
    </div>
  )
}
