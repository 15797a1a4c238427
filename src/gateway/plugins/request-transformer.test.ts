import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { type Ask, ask, ConfigFixture } from '../gateway-fixture.ts'
import { pluggedIn } from './plugged-in-fixture.ts'

const NAME = 'request-transformer'

/** What the service sees of one request. */
async function seenAfter(context: import('node:test').TestContext, config: object, path: string, sent: Ask = {}) {
  const { port, seen } = await pluggedIn(context, [{ name: NAME, config: config as Record<string, unknown> }])
  const answer = await ask(port, path, sent)
  return { answer, seen: seen[0] }
}

test('headers are removed, renamed, replaced, added and appended in this order', async (context) => {
  const config = {
    remove: { headers: ['X-Gone'] },
    rename: { headers: ['X-Old:X-New'] },
    replace: { headers: ['X-There:replaced', 'X-Absent:never'] },
    add: { headers: ['X-There:never', 'X-Added:added', 'X-Gone:again'] },
    append: { headers: ['X-List:b', 'X-First:only'] },
  }
  const headers = { 'x-gone': '1', 'x-old': 'old', 'x-there': 'there', 'x-list': 'a' }
  const { seen } = await seenAfter(context, config, '/', { headers })
  const names = ['x-gone', 'x-old', 'x-new', 'x-there', 'x-absent', 'x-added', 'x-list', 'x-first']
  assert.deepEqual(
    names.map((name) => seen?.headers[name]),
    ['again', undefined, 'old', 'replaced', undefined, 'added', 'a, b', 'only'],
  )
})

test('query parameters are changed in the same way, and stay as they came where no rule is about them', async (context) => {
  const config = {
    remove: { querystring: ['gone'] },
    rename: { querystring: ['old:new'] },
    replace: { querystring: ['there:x y'] },
    add: { querystring: ['added:1'] },
    append: { querystring: ['list:b'] },
  }
  const { seen } = await seenAfter(context, config, '/p?gone=1&old=2&there=3&list=a')
  assert.equal(seen?.url, '/p?new=2&there=x%20y&list=a&added=1&list=b')
  const beside = await seenAfter(context, config, '/p?flag&a=%20b&gone&new&b=+&old=%2f&&there')
  assert.equal(beside.seen?.url, '/p?flag&a=%20b&b=+&new=%2f&&there=x%20y&added=1&list=b')
  const untouched = await seenAfter(context, { add: { headers: ['a:b'] } }, '/p?x=%41&&y')
  assert.equal(untouched.seen?.url, '/p?x=%41&&y')
})

test('a JSON body is changed at its top level, and has its new length', async (context) => {
  const config = {
    remove: { body: ['gone'] },
    rename: { body: ['old:new'] },
    replace: { body: ['there:replaced'] },
    add: { body: ['added:1'] },
    append: { body: ['list:b', 'scalar:b'] },
  }
  const body = JSON.stringify({ gone: 1, old: { deep: true }, there: 2, list: ['a'], scalar: 'a', kept: null })
  const headers = { 'content-type': 'application/json' }
  const { seen } = await seenAfter(context, config, '/', { method: 'POST', body, headers })
  assert.deepEqual(JSON.parse(seen?.body ?? ''), {
    there: 'replaced',
    list: ['a', 'b'],
    scalar: ['a', 'b'],
    kept: null,
    new: { deep: true },
    added: '1',
  })
  assert.equal(seen?.headers['content-length'], String(seen?.body.length))
})

test('a form is changed too, and what is neither JSON nor a form is not', async (context) => {
  const config = { add: { body: ['added:1'] }, remove: { body: ['gone'] } }
  const { port, seen } = await pluggedIn(context, [{ name: NAME, config }])
  const post = (type: string, body: string) =>
    ask(port, '/', { method: 'POST', body, headers: { 'content-type': type } })
  await post('application/x-www-form-urlencoded', 'gone=1&a=1&a=2')
  await post('text/plain', 'gone=1')
  await post('application/json', '{"gone":')
  assert.deepEqual(
    seen.map((request) => request.body),
    ['a=1&a=2&added=1', 'gone=1', '{"gone":'],
  )
})

test('fields of a multipart form are changed, files are not', async (context) => {
  const config = {
    remove: { body: ['gone', 'file'] },
    rename: { body: ['old:new', 'absent:kept'] },
    replace: { body: ['there:replaced', 'file:never'] },
    add: { body: ['added:ü', 'kept:never', 'file:never'] },
    append: { body: ['kept:b'] },
  }
  const { port, seen } = await pluggedIn(context, [{ name: NAME, config }])
  const post = (body: string) =>
    ask(port, '/', { method: 'POST', body, headers: { 'content-type': 'multipart/form-data; boundary="B b"' } })
  const part = (head: string, value: string) => `--B b\r\nContent-Disposition: form-data; ${head}\r\n\r\n${value}\r\n`
  const file = part('name="file"; filename="a.bin"\r\nContent-Type: x/y', '\u0000\r\n--B\r\nü')
  const sent = ['gone', 'old', 'there', 'kept', 'there', 'new', 'gone'].map((name) => part(`name="${name}"`, '1'))
  await post(`${sent.join('')}${file}--B b--`)
  const fields = [
    ['new', '1'],
    ['there', 'replaced'],
    ['kept', '1'],
  ].map(([name, value]) => part(`name="${name}"`, value ?? ''))
  const last = part('name="added"', 'ü') + part('name="kept"', 'b')
  assert.equal(seen[0]?.body, `${fields.join('')}${file}${last}--B b--\r\n`)
  assert.equal(seen[0]?.headers['content-length'], String(Buffer.byteLength(seen[0]?.body ?? '')))
  assert.equal((await post('--B b\r\nno form')).status, 400)
  const twice = part('name="kept"; name="gone"', '1')
  assert.equal((await post(`${twice}--B b--`)).status, 400)
  assert.equal(seen.length, 1)
})

test('a value from the request cannot add parts to a form', async (context) => {
  const config = { remove: { body: ['role'] }, add: { body: ['user:$(query_params.user)'] } }
  const body = '--b\r\nContent-Disposition: form-data; name="role"\r\n\r\nadmin\r\n--b--'
  const form = { method: 'POST', body, headers: { 'content-type': 'multipart/form-data; boundary=b' } }
  const evil = encodeURIComponent('x\r\n--b\r\nContent-Disposition: form-data; name="role"\r\n\r\nadmin')
  const { answer, seen } = await seenAfter(context, config, `/?user=${evil}`, form)
  assert.deepEqual([answer.status, seen], [400, undefined])
})

test('a changed body reaches a service elsewhere, chunked or not', async (context) => {
  const bodies: string[] = []
  const upstream = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    bodies.push(`${request.headers['content-length']} ${body}`)
    response.end()
  })
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  context.after(() => upstream.close())
  const origin = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`
  const plugin = { name: NAME, config: { add: { body: ['b:2'] } } }
  const { port } = await pluggedIn(context, [plugin], { resolve: () => ({ kind: 'remote', origin }) })
  const headers = { 'content-type': 'application/json' }
  await ask(port, '/', { method: 'POST', body: '{"a":1}', headers })
  await ask(port, '/', { method: 'POST', body: '{"a":1}', headers: { ...headers, 'transfer-encoding': 'chunked' } })
  await ask(port, '/', { method: 'POST', body: '', headers })
  assert.deepEqual(bodies, ['15 {"a":1,"b":"2"}', '15 {"a":1,"b":"2"}', '9 {"b":"2"}'])
})

test('method and path can be replaced, the path from the request but never out of its own', async (context) => {
  const config = { http_method: 'PUT', replace: { uri: '/fixed/$(headers.x-tenant)/$(query_params.id)' } }
  const { seen } = await seenAfter(context, config, '/any?id=7%3F8', { headers: { 'x-tenant': 'a/b' } })
  assert.deepEqual([seen?.method, seen?.url], ['PUT', '/fixed/a%2Fb/7%3F8?id=7%3F8'])
  const out = await seenAfter(context, config, '/any?id=7', { headers: { 'x-tenant': '..' } })
  assert.equal(out.answer.status, 400)
})

test('a form that is sent by a method without a body is shown in the query, under its rules', async (context) => {
  const form = {
    method: 'POST',
    body: 'b=x+%26&b=2&f&gone=1',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  }
  for (const http_method of ['GET', 'HEAD', 'TRACE']) {
    const config = { http_method, remove: { querystring: ['gone'] }, add: { querystring: ['f:never'] } }
    const { seen } = await seenAfter(context, config, '/p?a=+&b=1', form)
    assert.deepEqual([seen?.method, seen?.url], [http_method, '/p?a=+&b=1&b=x%20%26&b=2&f'])
  }
  const put = await seenAfter(context, { http_method: 'PUT' }, '/p', form)
  assert.equal(put.seen?.url, '/p')
  const json = await seenAfter(context, { http_method: 'GET' }, '/p', {
    ...form,
    headers: { 'content-type': 'text/plain' },
  })
  assert.equal(json.seen?.url, '/p')
  const { answer, seen } = await seenAfter(context, { http_method: 'GET' }, '/p', {
    ...form,
    body: `a=${'x'.repeat(8_192)}`,
  })
  assert.deepEqual([answer.status, seen], [413, undefined])
})

test('templates see the request as it came, and cannot break a header', async (context) => {
  const config = {
    remove: { headers: ['x-user'], querystring: ['q'] },
    add: { headers: ['X-Copy:user $(headers["x-user"]) $(query_params.q)!'] },
  }
  const { seen } = await seenAfter(context, config, '/?q=a%0d%0aEvil:%20yes', { headers: { 'x-user': 'ann' } })
  assert.equal(seen?.headers['x-copy'], 'user ann a  Evil: yes!')
  assert.equal(seen?.headers.evil, undefined)
})

test('rules that cannot be followed are refused when they are made', () => {
  const refused = [
    { add: { headers: ['nocolon'] } },
    { add: { headers: ['Host:elsewhere'] } },
    { append: { headers: ['Content-Length:1'] } },
    { rename: { headers: ['x-a:transfer-encoding'] } },
    { add: { headers: ['x-a:b\r\nx-c:d'] } },
    { add: { headers: ['x-a:$(shared.id)'] } },
    { add: { body: ['a:$((function() return 1 end)())'] } },
    { replace: { uri: 'relative' } },
    { http_method: 'get' },
  ]
  for (const config of refused) {
    assert.throws(
      () => new ConfigFixture().add('plugins', { name: NAME, config }),
      { name: 'ApiError' },
      JSON.stringify(config),
    )
  }
})
