import assert from 'node:assert/strict'
import { test } from 'node:test'
import { boundaryOf, endsPart, fieldOf, readParts, renamedPart, writeParts } from './multipart.ts'

/** A part with this Content-Disposition. */
const part = (disposition: string, value = 'v') => `--b\r\nContent-Disposition: ${disposition}\r\n\r\n${value}\r\n`

const read = (body: string) => readParts(Buffer.from(body), 'b')

test('the boundary is what the type names, once', () => {
  const types = {
    'multipart/form-data; boundary=a-B.1': 'a-B.1',
    'multipart/form-data; charset=utf-8; Boundary="a b:c"; x=y': 'a b:c',
    'multipart/form-data': undefined,
    'multipart/form-data; boundary=': undefined,
    'multipart/form-data; boundary=a; boundary=b': undefined,
    'multipart/form-data; boundary=a; boundary=': undefined,
    'multipart/form-data; boundary="a\r"': undefined,
    [`multipart/form-data; boundary=${'a'.repeat(71)}`]: undefined,
  }
  for (const [type, boundary] of Object.entries(types)) assert.equal(boundaryOf(type), boundary, type)
})

test('parts have a name, and those with a file name are files', () => {
  const body =
    part('form-data; name="a"', '') +
    part('form-data; name=b', 'x\r\n\r\n--c') +
    part('form-data; name="é %22\\""; filename="f\\"; name=x"') +
    part('form-data; name="c"; filename*=utf-8\'\'f')
  const parts = read(`preamble\r\n${body}--b--\r\nepilogue`)
  assert.deepEqual(
    parts?.map(({ name, isFile, value }) => [name, isFile, String(value)]),
    [
      ['a', false, ''],
      ['b', false, 'x\r\n\r\n--c'],
      ['é ""', true, 'v'],
      ['c', true, 'v'],
    ],
  )
  assert.equal(String(writeParts(parts ?? [], 'b')), `${body}--b--\r\n`)
  assert.deepEqual([read(''), read('--b--')], [[], []])
})

test('what could be read as two forms is none', () => {
  const good = part('form-data; name="a"')
  const bad = {
    'no end': good,
    'a boundary that goes on': `${good}--bc\r\n`,
    'lines that end in LF': `${good}--b--`.replaceAll('\r\n', '\n'),
    'a part without a line': `--b\r\n--b:x\r\n${good.slice(5)}--b--`,
    'no boundary': 'a=1',
    'no head': `${good}--b\r\n\r\nv\r\n--b--`,
    'no end of the head': '--b\r\nContent-Disposition: form-data; name="a"\r\n--b--',
    'a folded line': `${part('form-data;\r\n name="a"')}--b--`,
    'a line that ends in CR': `${part('form-data; name="a"\rX: y')}--b--`,
    'two names': `${part('form-data; name="a"; name="b"')}--b--`,
    'two kinds of name': `${part('form-data; name="a"; name*=utf-8\'\'b')}--b--`,
    'two dispositions': `${part('form-data; name="a"\r\nContent-disposition: form-data; name="b"')}--b--`,
    'no name': `${part('form-data; filename="a"')}--b--`,
    'another disposition': `${part('form-data-x; name="a"')}--b--`,
    'something behind the name': `${part('form-data; name="a" b')}--b--`,
  }
  for (const [what, body] of Object.entries(bad)) assert.equal(read(body), undefined, what)
})

test('a field is written so that it is read again, and one under another name keeps the rest of its head', () => {
  const [field] = readParts(writeParts([fieldOf('é"\r\n', 'ü')], 'b'), 'b') ?? []
  assert.deepEqual([field?.name, String(field?.value)], ['é"\r\n', 'ü'])
  const typed = read(
    '--b\r\nX-A: 1\r\ncontent-disposition: form-data; name=a\r\nContent-Type: text/csv\r\n\r\nv\r\n--b--',
  )
  const { head } = renamedPart(typed?.[0] ?? assert.fail(), 'c')
  assert.equal(head, 'X-A: 1\r\nContent-Disposition: form-data; name="c"\r\nContent-Type: text/csv')
})

test('a value that has the boundary at the beginning of a line ends its part', () => {
  assert.deepEqual(
    ['--b', '\r\n--b', 'x\n--by', 'x--b', '-b', '\r\n-- b'].map((value) => endsPart(value, 'b')),
    [true, true, true, false, false, false],
  )
})
