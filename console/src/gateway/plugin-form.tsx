import { useState } from 'react'
import type { ChangeResult } from './admin.ts'
import { PluginFields } from './plugin-fields.tsx'
import { formFields, type PluginSchema } from './schema.ts'
import { changesOf, errorsAt, fieldErrors, isRecord, type Tree, withValue } from './tree.ts'

export type PluginFormProps = {
  readonly schema: PluginSchema
  /** What is in force, or the defaults of what is to be added. */
  readonly config: Tree
  readonly isReadOnly: boolean
  readonly saveLabel: string
  /** Whether there is something to save without a change, as when a plugin is added. */
  readonly mayBeUnchanged: boolean
  /** Sends what changed, as the Admin API merges it. */
  readonly onSave: (changes: Tree) => Promise<ChangeResult>
}

type Refusal = Extract<ChangeResult, { ok: false }>

/** A plugin's configuration as a form made from its schema, or as JSON. What is refused is shown where it is. */
export function PluginForm({ schema, config, isReadOnly, saveLabel, mayBeUnchanged, onSave }: PluginFormProps) {
  const [base, setBase] = useState<Tree>(config)
  const [draft, setDraft] = useState<Tree>(config)
  const [view, setView] = useState<'form' | 'json'>('form')
  const [hasBadJson, setBadJson] = useState(false)
  const [refusal, setRefusal] = useState<Refusal>()
  const [progress, setProgress] = useState<'idle' | 'saving' | 'saved'>('idle')
  const changes = changesOf(base, draft)
  const canSave = (changes !== undefined || mayBeUnchanged) && !hasBadJson && progress !== 'saving'

  const edit = (next: Tree) => {
    setDraft(next)
    setProgress('idle')
  }
  const save = async () => {
    setProgress('saving')
    const result = await onSave(changes ?? {})
    setRefusal(result.ok ? undefined : result)
    setProgress(result.ok ? 'saved' : 'idle')
    if (result.ok && result.plugin !== undefined) {
      setBase(result.plugin.config)
      setDraft(result.plugin.config)
    }
  }
  return (
    <form
      className="plugin-form"
      onSubmit={(event) => {
        event.preventDefault()
        if (canSave) void save()
      }}
    >
      <fieldset className="views">
        <legend className="unseen">Edit as</legend>
        {(['form', 'json'] as const).map((one) => (
          <button
            key={one}
            type="button"
            aria-pressed={view === one}
            onClick={() => setView(one)}
            disabled={hasBadJson}
          >
            {one === 'form' ? 'Form' : 'JSON'}
          </button>
        ))}
      </fieldset>
      {refusal !== undefined && <RefusalLines refusal={refusal} />}
      <fieldset className="fields" disabled={isReadOnly}>
        {view === 'json' ? (
          <JsonView draft={draft} onChange={edit} onBad={setBadJson} />
        ) : (
          <PluginFields
            fields={formFields(schema)}
            values={{ config: draft }}
            errors={refusal === undefined ? [] : fieldErrors(refusal.fields)}
            onChange={(path, value) => edit(withValue(draft, path.slice(1), value))}
          />
        )}
      </fieldset>
      {!isReadOnly && (
        <footer>
          <button type="submit" className="act primary" disabled={!canSave}>
            {progress === 'saving' ? 'Saving …' : saveLabel}
          </button>
          {changes !== undefined && (
            <button type="button" className="act" onClick={() => edit(base)}>
              Undo
            </button>
          )}
          <span className="quiet" role="status">
            {progress === 'saved' && changes === undefined ? 'Saved, and in force.' : changedWords(changes)}
          </span>
        </footer>
      )}
    </form>
  )
}

/** What is about no field that is shown: the configuration as a whole, or the entity. */
function RefusalLines({ refusal }: { readonly refusal: Refusal }) {
  const errors = fieldErrors(refusal.fields)
  const whole = [...errorsAt(errors, []), ...errorsAt(errors, ['config'])]
  const others = errors.filter(({ path }) => path.length > 0 && path[0] !== 'config')
  const lines = [...whole, ...others.map(({ path, message }) => `${path.join('.')}: ${message}`)]
  return (
    <div className="refusal" role="alert">
      <b>Nothing was changed</b>
      {lines.length === 0 ? <p>{refusal.message}</p> : lines.map((line) => <p key={line}>{line}</p>)}
    </div>
  )
}

function changedWords(changes: Tree | undefined): string {
  if (changes === undefined) return ''
  const names = Object.keys(changes)
  return names.length > 3 ? `${names.length} fields changed` : `changed: ${names.join(', ')}`
}

type JsonViewProps = {
  readonly draft: Tree
  readonly onChange: (draft: Tree) => void
  readonly onBad: (isBad: boolean) => void
}

function JsonView({ draft, onChange, onBad }: JsonViewProps) {
  const [text, setText] = useState(() => JSON.stringify(draft, undefined, 2))
  const [problem, setProblem] = useState('')
  const read = (json: string) => {
    setText(json)
    const parsed = parseRecord(json)
    setProblem(typeof parsed === 'string' ? parsed : '')
    onBad(typeof parsed === 'string')
    if (typeof parsed !== 'string') onChange(parsed)
  }
  return (
    <div className={`json ${problem === '' ? '' : 'invalid'}`}>
      <textarea
        className="code"
        aria-label="Configuration as JSON"
        spellCheck={false}
        rows={Math.min(36, text.split('\n').length + 1)}
        value={text}
        onChange={({ target }) => read(target.value)}
      />
      {problem !== '' && (
        <p className="message" role="alert">
          {problem}
        </p>
      )}
    </div>
  )
}

/** The record, or what is wrong with the text. */
function parseRecord(json: string): Tree | string {
  try {
    const value: unknown = JSON.parse(json)
    return isRecord(value) ? value : 'A configuration is a record: { … }.'
  } catch (error) {
    if (error instanceof SyntaxError) return error.message
    throw error
  }
}
