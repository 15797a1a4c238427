import assert from 'node:assert/strict'
import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { test } from 'node:test'
import { assertOwnPage } from './writes.ts'

function isTaken(headers: Readonly<Record<string, string>>): boolean {
  const request = new IncomingMessage(new Socket())
  Object.assign(request.headers, headers)
  try {
    assertOwnPage(request)
    return true
  } catch (error) {
    assert.equal((error as { code?: string }).code, 'CONSOLE_ORIGIN_REFUSED')
    return false
  }
}

const BROWSER = { 'sec-fetch-site': 'same-origin' }

for (const [whose, headers] of [
  ['no browser', { host: 'localhost:8002' }],
  ['the page', { host: 'localhost:8002', origin: 'http://localhost:8002', ...BROWSER }],
  ['the page in a browser without fetch metadata', { host: 'localhost:8002', origin: 'http://localhost:8002' }],
  ['the page on the port that goes without saying', { host: 'localhost:80', origin: 'http://localhost', ...BROWSER }],
  ['the page behind TLS', { host: 'localhost:8443', origin: 'https://localhost:8443', ...BROWSER }],
  ['the page behind TLS on its usual port', { host: '[::1]', origin: 'https://[::1]', ...BROWSER }],
] as const) {
  test(`a change of ${whose} is taken`, () => assert.ok(isTaken(headers)))
}

for (const [whose, headers] of [
  ['a page of another name', { host: 'localhost:8002', origin: 'http://evil.example', ...BROWSER }],
  ['a page of another name behind TLS', { host: 'localhost:8443', origin: 'https://evil.example', ...BROWSER }],
  ['a page of another port behind TLS', { host: 'localhost:8443', origin: 'https://localhost:9443', ...BROWSER }],
  ['a page of the same name on the other usual port', { host: 'localhost', origin: 'https://localhost' }],
  [
    'a page whose proxy says that it is ours, and whose browser does not',
    { host: 'localhost', origin: 'https://localhost', 'x-forwarded-proto': 'https', 'sec-fetch-site': 'cross-site' },
  ],
  [
    'a page that only a proxy vouches for',
    { host: 'localhost', origin: 'https://localhost', 'x-forwarded-proto': 'https' },
  ],
  ['a sandboxed page', { host: 'localhost:8002', origin: 'null' }],
  ['a page that is of the same site only', { host: 'localhost:8002', 'sec-fetch-site': 'same-site' }],
  ['a link that somebody was sent', { host: 'localhost:8002', 'sec-fetch-site': 'none' }],
  ['a page, to no host', { origin: 'http://undefined' }],
] as const) {
  test(`a change of ${whose} is refused`, () => assert.equal(isTaken(headers), false))
}
