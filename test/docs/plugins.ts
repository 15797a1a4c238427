import { type Field, fieldsOf, installedPlugins, type NamedField } from '../../src/gateway/index.ts'

/** The reference of the gateway's plugins, from their schemas: the same that the Admin API validates by. */
export function pluginReference(): string {
  const plugins = [...installedPlugins].sort((left, right) => (left.name < right.name ? -1 : 1))
  return plugins.map(({ name, priority, schema }) => section(name, priority, schema.fields)).join('\n\n')
}

function section(name: string, priority: number, fields: readonly NamedField[]): string {
  const config = fieldsOf(fields).find(([field]) => field === 'config')?.[1]
  const scopes = fields.some((entry) => entry.consumer?.eq === null)
    ? 'services, routes'
    : 'services, routes, consumers'
  const rows = rowsOf(config?.fields ?? [], '')
  const table = ['| field | type | default | meaning |', '|---|---|---|---|', ...rows].join('\n')
  const about = `Priority ${priority}; for ${scopes}, or everything.`
  return [`## ${name}`, '', about, '', rows.length === 0 ? 'It has no settings.' : table].join('\n')
}

function rowsOf(fields: readonly NamedField[], prefix: string): string[] {
  return fieldsOf(fields).flatMap(([name, field]) => {
    if (field.type === 'record') return rowsOf(field.fields ?? [], `${prefix}${name}.`)
    const text = [field.description ?? '', ruleOf(field)].filter((part) => part !== '').join(' ')
    return [`| \`${prefix}${name}\` | ${typeOf(field)} | ${defaultOf(field)} | ${text.replaceAll('|', '\\|')} |`]
  })
}

function typeOf({ type, elements, values }: Field): string {
  if (type === 'array' || type === 'set') return `${type} of ${elements?.type ?? 'json'}`
  return type === 'map' ? `map of ${values?.type ?? 'json'}` : type
}

function defaultOf({ required, ...field }: Field): string {
  if (field.default !== undefined) return `\`${JSON.stringify(field.default)}\``
  return required ? 'required' : ''
}

function ruleOf(field: Field): string {
  const { elements = field } = field
  if (elements.one_of !== undefined) return `One of ${elements.one_of.map((value) => `\`${value}\``).join(', ')}.`
  if (field.between !== undefined) return `From ${field.between[0]} to ${field.between[1]}.`
  return field.gt === undefined ? '' : `Greater than ${field.gt}.`
}
