import { Fragment, type ReactNode, useId, useState } from 'react'
import type { FormField } from './schema.ts'
import { errorsAt, type FieldError, isRecord, type Tree, valueAt } from './tree.ts'

export type FieldsProps = {
  readonly fields: readonly FormField[]
  /** With `config` at its top, as paths of fields have it. */
  readonly values: Tree
  readonly errors: readonly FieldError[]
  readonly onChange: (path: readonly string[], value: unknown) => void
}

/** The fields of a plugin's configuration, each with the control of its type and what was wrong with it. */
export function PluginFields({ fields, ...rest }: FieldsProps) {
  return fields.map((field) =>
    field.control === 'group' ? (
      <Group key={field.name} field={field} {...rest} />
    ) : (
      <Field key={field.name} field={field} {...rest} />
    ),
  )
}

type FieldProps = Omit<FieldsProps, 'fields'> & { readonly field: FormField }

/** Folded while nothing in it is worth a look: all of it as it is by default, and nothing wrong. */
function Group({ field, values, errors, onChange }: FieldProps) {
  const isDefault = JSON.stringify(valueAt(values, field.path)) === JSON.stringify(field.default)
  const hasErrors = errorsAt(errors, field.path, true).length > 0
  return (
    <details className="group" open={hasErrors || !isDefault || undefined}>
      <summary>
        {field.name} <small>{field.hint}</small>
      </summary>
      <Messages messages={errorsAt(errors, field.path)} />
      <PluginFields fields={field.fields} values={values} errors={errors} onChange={onChange} />
    </details>
  )
}

function Field({ field, values, errors, onChange }: FieldProps) {
  const id = useId()
  const value = valueAt(values, field.path)
  const messages = errorsAt(errors, field.path, true)
  const isDefault = JSON.stringify(value ?? null) === JSON.stringify(field.default ?? null)
  const control: ControlProps = {
    id,
    field,
    value,
    describedBy: `${id}-hint`,
    isInvalid: messages.length > 0,
    onChange: (next) => onChange(field.path, next),
  }
  const Control = CONTROLS[field.control === 'group' ? 'json' : field.control]
  return (
    <div className={`field ${messages.length > 0 ? 'invalid' : ''}`} data-field={field.path.join('.')}>
      <label htmlFor={id}>
        <Breakable name={field.name} />
        {field.isRequired && <abbr title="required">*</abbr>}
      </label>
      <div className={field.control === 'number' || field.control === 'switch' ? 'beside' : ''}>
        <Control {...control} />
        <Messages messages={messages} />
        <p className="hint" id={`${id}-hint`}>
          {field.hint} {!isDefault && <DefaultHint value={field.default} />}
        </p>
      </div>
    </div>
  )
}

/** Long names break behind an underscore, not within a word. */
function Breakable({ name }: { readonly name: string }) {
  const parts = name.split(/(?<=_)/)
  return parts.map((part, index) => (
    <Fragment key={part}>
      {index > 0 && <wbr />}
      {part}
    </Fragment>
  ))
}

function DefaultHint({ value }: { readonly value: unknown }) {
  if (value === null || value === undefined || isRecord(value) || Array.isArray(value)) return null
  return <span className="default">Default: {String(value)}.</span>
}

function Messages({ messages }: { readonly messages: readonly string[] }) {
  return messages.map((message) => (
    <p key={message} className="message" role="alert">
      {message}
    </p>
  ))
}

type ControlProps = {
  readonly id: string
  readonly field: FormField
  readonly value: unknown
  readonly describedBy: string
  readonly isInvalid: boolean
  readonly onChange: (value: unknown) => void
}

const CONTROLS: Readonly<Record<Exclude<FormField['control'], 'group'>, (props: ControlProps) => ReactNode>> = {
  text: (props) => <TextControl {...props} />,
  secret: (props) => <TextControl {...props} isSecret />,
  number: (props) => <NumberControl {...props} />,
  switch: (props) => <SwitchControl {...props} />,
  choice: (props) => <ChoiceControl {...props} />,
  choices: (props) => <ChoicesControl {...props} />,
  lines: (props) => <LinesControl {...props} />,
  json: (props) => <JsonControl {...props} />,
}

const shared = ({ id, describedBy, isInvalid }: ControlProps) => ({
  id,
  'aria-describedby': describedBy,
  'aria-invalid': isInvalid,
})

/** What is left empty is not set. */
function TextControl({ isSecret = false, ...props }: ControlProps & { readonly isSecret?: boolean }) {
  return (
    <input
      {...shared(props)}
      type={isSecret ? 'password' : 'text'}
      autoComplete="off"
      spellCheck={false}
      value={String(props.value ?? '')}
      placeholder="not set"
      onChange={({ target }) => props.onChange(target.value === '' ? null : target.value)}
    />
  )
}

/** What is no number goes to the Admin API as it was typed, which then says so. */
function NumberControl(props: ControlProps) {
  const parse = (text: string) => (text.trim() === '' ? null : text)
  return (
    <input
      {...shared(props)}
      type="text"
      inputMode="decimal"
      autoComplete="off"
      className="numeric"
      value={String(props.value ?? '')}
      placeholder="not set"
      onChange={({ target }) => {
        const isPlain = /^-?(?:0|[1-9]\d*)(?:\.\d*[1-9])?$/.test(target.value)
        props.onChange(isPlain ? Number(target.value) : parse(target.value))
      }}
      onBlur={({ target }) => props.onChange(numberOr(target.value.trim()))}
    />
  )
}

function numberOr(text: string): unknown {
  if (text === '') return null
  return Number.isFinite(Number(text)) ? Number(text) : text
}

function SwitchControl(props: ControlProps) {
  return (
    <input
      {...shared(props)}
      type="checkbox"
      className="switch"
      checked={props.value === true}
      onChange={({ target }) => props.onChange(target.checked)}
    />
  )
}

function ChoiceControl(props: ControlProps) {
  const { field, value, onChange } = props
  const maySkip = field.default === null || field.default === undefined
  return (
    <select
      {...shared(props)}
      value={String(value ?? '')}
      onChange={({ target }) => onChange(field.choices.find((choice) => String(choice) === target.value) ?? null)}
    >
      {(maySkip || value === null || value === undefined) && <option value="">not set</option>}
      {field.choices.map((choice) => (
        <option key={choice}>{choice}</option>
      ))}
    </select>
  )
}

function ChoicesControl(props: ControlProps) {
  const { field, onChange } = props
  const chosen: readonly unknown[] = Array.isArray(props.value) ? props.value : []
  return (
    <fieldset className="choices" id={props.id} aria-describedby={props.describedBy}>
      {field.choices.map((choice) => (
        <label key={choice}>
          <input
            type="checkbox"
            checked={chosen.includes(choice)}
            onChange={({ target }) =>
              onChange(field.choices.filter((one) => (one === choice ? target.checked : chosen.includes(one))))
            }
          />
          {choice}
        </label>
      ))}
    </fieldset>
  )
}

/** One value a line. The text is its own, since an empty line is none of the values but must stay while one types. */
function LinesControl(props: ControlProps) {
  const { field, value, onChange } = props
  const [text, setText] = useState(() => (Array.isArray(value) ? value.join('\n') : ''))
  const read = (lines: string) => {
    const values = lines.split('\n').flatMap((line) => (line.trim() === '' ? [] : [line.trim()]))
    if (values.length === 0) return field.default === null ? null : []
    return field.isNumeric ? values.map(numberOr) : values
  }
  return (
    <textarea
      {...shared(props)}
      rows={Math.min(8, Math.max(2, text.split('\n').length))}
      spellCheck={false}
      placeholder="one a line"
      value={text}
      onChange={({ target }) => {
        setText(target.value)
        onChange(read(target.value))
      }}
    />
  )
}

/** For what no form can hold. What is no JSON goes to the Admin API as text, which then says what it wants. */
function JsonControl(props: ControlProps) {
  const [text, setText] = useState(() => (props.value == null ? '' : JSON.stringify(props.value, undefined, 2)))
  const read = (json: string): unknown => {
    if (json.trim() === '') return null
    try {
      return JSON.parse(json)
    } catch (error) {
      if (error instanceof SyntaxError) return json
      throw error
    }
  }
  return (
    <textarea
      {...shared(props)}
      className="code"
      rows={Math.min(12, Math.max(2, text.split('\n').length))}
      spellCheck={false}
      placeholder="JSON"
      value={text}
      onChange={({ target }) => {
        setText(target.value)
        props.onChange(read(target.value))
      }}
    />
  )
}
