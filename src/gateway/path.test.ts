import assert from 'node:assert/strict'
import { test } from 'node:test'
import { normalisePath, upstreamPath } from './path.ts'
import { JOINED_PATHS } from './path-fixture.ts'

for (const [base, prefix, path, stripped, whole] of JOINED_PATHS) {
  test(`service ${base} and route ${prefix} send ${path} to ${stripped}, or to ${whole} unstripped`, () => {
    assert.equal(upstreamPath({ base, strip: true, handling: 'v0' }, path, prefix.length), stripped)
    assert.equal(upstreamPath({ base, strip: false, handling: 'v0' }, path, prefix.length), whole)
  })
}

test('path handling v1 joins service path and rest as one text', () => {
  const join = (base: string, path: string) => upstreamPath({ base, strip: true, handling: 'v1' }, path, '/tv1'.length)
  assert.equal(join('/s', '/tv1/req'), '/s/req')
  assert.equal(join('/s', '/tv1req'), '/sreq')
  assert.equal(join('/s/', '/tv1/req'), '/s/req')
  assert.equal(join('/s/', '/tv1req'), '/s/req')
})

test('what a prefix leaves over cannot climb out of the path of the service', () => {
  const join = (path: string) => upstreamPath({ base: '/srv', strip: true, handling: 'v0' }, path, '/rou'.length)
  assert.equal(join('/rou../secret'), '/srv/secret')
  assert.equal(join('/rou./secret'), '/srv/secret')
  assert.equal(join('/rou..'), '/srv')
})

const NORMAL: readonly (readonly [string, string])[] = [
  ['/', '/'],
  ['/users/12', '/users/12'],
  ['/h%65llo', '/hello'],
  ['/a%2fb', '/a%2Fb'],
  ['/cat%20and%20dog', '/cat%20and%20dog'],
  ['//a///b', '/a/b'],
  ['/a/./b/../c', '/a/c'],
  ['/a/%2e%2E/b', '/b'],
  ['/../../etc/passwd', '/etc/passwd'],
  ['/a/..', '/'],
  ['/a/b/..', '/a/'],
  ['/a/.', '/a/'],
  ['/a/...', '/a/...'],
  ['/.well-known/x', '/.well-known/x'],
  ['/caf\u00c3\u00a9', '/caf%C3%A9'],
  ['/100%', '/100%'],
]

for (const [path, normal] of NORMAL) {
  test(`${path} is normalised to ${normal}, which is normal`, () => {
    assert.equal(normalisePath(path), normal)
    assert.equal(normalisePath(normal), normal)
  })
}
