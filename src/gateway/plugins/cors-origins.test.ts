import assert from 'node:assert/strict'
import { test } from 'node:test'
import { originRule } from './cors-origins.ts'

/** Origins that try every rule: other hosts, look-alikes, subdomains, schemes and ports. */
const PROBES = [
  'http://evil.test',
  'http://foo.test',
  'http://foo.test.evil.test',
  'http://something.foo.test',
  'http://evilfoo.test',
  'http://foo.test:80',
  'http://foo.test:90',
  'http://foo.test:8000',
  'https://foo.test:8000',
  'http://foobtest',
  'https://bar.test:1234',
]

const ON_ANY_PORT = ['http://foo.test', 'http://foo.test:80', 'http://foo.test:90', 'http://foo.test:8000']

/** Rules and the probes that they allow, as Kong's own suite has them. */
const RULES: readonly (readonly [readonly string[], readonly string[]])[] = [
  [['foo\\.test'], [...ON_ANY_PORT, 'https://foo.test:8000']],
  [['(.*[./])?foo\\.test'], [...ON_ANY_PORT, 'https://foo.test:8000', 'http://something.foo.test']],
  [['(.*[./])?foo\\.test:8000'], ['http://foo.test:8000', 'https://foo.test:8000']],
  [['https://(.*[.])?foo\\.test:8000'], ['https://foo.test:8000']],
  [
    ['^http://(.*[.])?foo\\.test(:(80|90))?$'],
    ['http://foo.test', 'http://foo.test:80', 'http://foo.test:90', 'http://something.foo.test'],
  ],
  [['foo.test', 'bar.test'], []],
  [
    ['http://foo.test', 'https://bar.test:1234'],
    ['http://foo.test', 'http://foo.test:80', 'https://bar.test:1234'],
  ],
  [
    ['bar.test', 'foo\\.test'],
    [...ON_ANY_PORT, 'https://foo.test:8000'],
  ],
  [['bar.test', 'https://(.*\\.)?foo\\.test:8000'], ['https://foo.test:8000']],
  [['one|http://foo\\.test'], ['http://foo.test', 'http://foo.test:80']],
]

test('an origin is allowed by the rules that match it from end to end, and by no others', () => {
  for (const [entries, allowed] of RULES) {
    const rule = originRule(entries)
    for (const probe of PROBES) {
      const expected = allowed.includes(probe) ? probe.replace(/:80$/, '') : undefined
      assert.equal(rule(probe), expected, `${entries.join(' ')} with ${probe}`)
    }
    assert.equal(rule(undefined), undefined)
  }
})

test('a single plain origin, or a star, is said to everybody', () => {
  for (const entry of ['foo.test', 'https://bar.test:1234', '*']) {
    for (const probe of [...PROBES, undefined]) assert.equal(originRule([entry])(probe), entry)
  }
  assert.equal(originRule([])('http://evil.test'), '*')
  assert.equal(originRule(['foo.test', '*'])('http://evil.test'), '*')
})
