import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { describeMetrics } from '../src/telemetry/index.ts'

/** The rules for Prometheus that a guide shows: whoever copies them gets what it says. */
const PAGE = join(resolve(import.meta.dirname, '..'), 'docs/guides/failures.md')
const [, rules = ''] = /<!-- checked: rules -->\n```yaml\n([\s\S]*?)```/.exec(readFileSync(PAGE, 'utf8')) ?? []

test('the rules of the failures guide ask for metrics that there are, by labels that they have', () => {
  const asked = [...rules.matchAll(/(groundswell_\w+)(?:\{(\w+)!?=)?/g)]
  assert.ok(asked.length > 0, 'the guide has no rules')
  const labels = new Map(describeMetrics().map((metric) => [metric.name, metric.labels]))
  for (const [, name = '', label] of asked) {
    assert.ok(labels.has(name), `there is no metric ${name}`)
    assert.ok(label === undefined || labels.get(name)?.includes(label), `${name} has no label ${label}`)
  }
})

test('promtool accepts the rules of the failures guide', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'groundswell-rules-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'rules.yaml')
  writeFileSync(file, rules)
  const { error, status, stderr } = spawnSync('promtool', ['check', 'rules', file], { encoding: 'utf8' })
  if (error !== undefined) return t.skip('promtool is not installed')
  assert.equal(status, 0, stderr)
})
