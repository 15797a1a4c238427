import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compilePathPattern } from './path-pattern.ts'

const MATCHES: readonly (readonly [pattern: string, path: string, matches: boolean])[] = [
  ['/v1\\-beta', '/v1-beta', true],
  ['/a\\_b', '/a_b', true],
  ['/r/\\@[^/]+/\\#x', '/r/@q/#x', true],
  ['/[\\w-.]+$', '/a-.b', true],
  ['/[\\w-.]+$', '/a,b', false],
  ['/[a-z\\d-]+$', '/a-9', true],
  ['/[\\-a]+$', '/-a', true],
  ['/i/[^]]+$', '/i/abc', true],
  ['/i/[^]]+$', '/i/a]', false],
  ['/[]a]+$', '/]a', true],
  ['/[a[]b]$', '/[b]', true],
  ['/[a\\]b]+$', '/a]b', true],
  ['/a]b', '/a]b', true],
  ['/[[:alpha:]_]+$', '/a_c', true],
  ['/[[:alpha:]]+$', '/ab1', false],
  ['/[^[:digit:]]+$', '/ab', true],
  ['/(?i)foo', '/FoO', true],
  ['/(?i)foo', '/bar', false],
  ['/[(?i)x]+$', '/(X', false],
  ['/(?P<id>\\d+)\\z', '/12', true],
  ['/(?P<id>\\d+)\\z', '/12/', false],
  ['/a|/b', '/b', true],
  ['/b', '/a/b', false],
]

test('what PCRE writes in another way is translated, and anchored at the start', () => {
  for (const [pattern, path, matches] of MATCHES) {
    const compiled = compilePathPattern(pattern)
    assert.ok(compiled instanceof RegExp, `${pattern}: ${compiled}`)
    assert.equal(compiled.test(path), matches, `${pattern} and ${path}`)
  }
})

test('what cannot be expressed is refused, never taken for something else', () => {
  const patterns = ['/(a', '/a++', '/\\h', '/(?>a)', '/a(?i)foo', '/[[:foo:]]', '/[', '/[^]', '/a\\', '/\\Qa\\E']
  for (const pattern of patterns) assert.equal(typeof compilePathPattern(pattern), 'string', pattern)
})
