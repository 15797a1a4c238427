import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CallHandler } from './http1/call.ts'
import { Http2Pool } from './http2-pool.ts'

test('a pool that is gone opens no connection for what is tried again', () => {
  const tls = { verify: true, authorities: undefined, depthMax: undefined, client: undefined, key: '' }
  const pool = new Http2Pool({ origin: 'http://127.0.0.1:9', connectTimeoutMs: 1_000, serverName: undefined, tls })
  pool.destroy()
  const errors: Error[] = []
  const handler: CallHandler = {
    onSent() {},
    onUnsent() {},
    onProgress() {},
    onHead() {},
    onData() {},
    onEnd() {},
    onUpgrade() {},
    onError: (error) => void errors.push(error),
  }
  const request = { method: 'POST', path: '/', headers: {}, body: null, upgrades: false, silenceMs: 1_000 }
  const call = pool.send(request, handler)
  assert.deepEqual([call.isOver, errors.map(({ message }) => message)], [true, ['the gateway is closed']])
  assert.ok(pool.isEmpty)
})
