import assert from 'node:assert/strict'
import { test } from 'node:test'
import { installedPlugins } from '../../../src/gateway/index.ts'
import { defaultConfig, type FormField, formFields, type PluginSchema, refusedScopes, summaryOf } from './schema.ts'
import { withValue } from './tree.ts'

/** The schema of a plugin as it arrives in the browser. */
function schemaOf(name: string): PluginSchema {
  const found = installedPlugins.find((plugin) => plugin.name === name)
  assert.ok(found)
  return JSON.parse(JSON.stringify(found.schema)) as PluginSchema
}

function fieldAt(name: string, ...path: readonly string[]): FormField | undefined {
  const start = { fields: formFields(schemaOf(name)) }
  return path.reduce<{ readonly fields: readonly FormField[] } | undefined>(
    (place, step) => place?.fields.find((field) => field.name === step),
    start,
  ) as FormField | undefined
}

test('each field of a schema has the control that its type asks for', () => {
  const control = (...path: readonly [string, ...string[]]) => fieldAt(...path)?.control
  assert.equal(control('rate-limiting', 'minute'), 'number')
  assert.equal(control('rate-limiting', 'limit_by'), 'choice')
  assert.equal(control('rate-limiting', 'hide_client_headers'), 'switch')
  assert.equal(control('rate-limiting', 'error_message'), 'text')
  assert.equal(control('rate-limiting', 'redis'), 'group')
  assert.equal(control('rate-limiting', 'redis', 'password'), 'secret')
  assert.equal(control('ip-restriction', 'allow'), 'lines')
  assert.equal(control('cors', 'methods'), 'choices')
  assert.equal(control('http-log', 'headers'), 'json')
})

test('what only refuses is left out, and ranges, choices and what is required are told', () => {
  assert.equal(fieldAt('http-log', 'custom_fields_by_lua'), undefined)
  assert.match(fieldAt('request-termination', 'status_code')?.hint ?? '', /100 to 599\.$/)
  assert.match(fieldAt('rate-limiting', 'minute')?.hint ?? '', /More than 0\.$/)
  assert.deepEqual(fieldAt('rate-limiting', 'window_type')?.choices, ['fixed', 'sliding', 'token-bucket'])
  assert.deepEqual(
    [fieldAt('http-log', 'http_endpoint')?.isRequired, fieldAt('rate-limiting', 'fault_tolerant')?.isRequired],
    [true, false],
  )
  assert.deepEqual([refusedScopes(schemaOf('key-auth')), refusedScopes(schemaOf('cors'))], [['consumer'], ['consumer']])
})

test('every installed plugin has a form, and its defaults say nothing in a summary', () => {
  for (const { name } of installedPlugins) {
    const schema = schemaOf(name)
    assert.equal(summaryOf(defaultConfig(schema), formFields(schema)), '', name)
  }
})

test('a summary has what differs from the defaults, within groups too', () => {
  const schema = schemaOf('rate-limiting')
  const limited = withValue(withValue(defaultConfig(schema), ['minute'], 5), ['redis', 'host'], 'cache.internal')
  const config = withValue(limited, ['fault_tolerant'], false)
  assert.equal(summaryOf(config, formFields(schema)), 'minute 5 · not fault_tolerant · host cache.internal')
})
