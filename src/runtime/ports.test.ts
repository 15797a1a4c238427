import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { assertPortsFree, listenOn, originAt, unusable, type WantedPort } from './ports.ts'

const wanted = (host: string, port: number, name = 'GATEWAY'): WantedPort => {
  return { host, port, hostVariable: `${name}_HOST`, portVariable: `${name}_PORT` }
}

async function withHolder(use: (port: number) => Promise<void>): Promise<void> {
  const holder = createServer()
  await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve))
  try {
    await use((holder.address() as { port: number }).port)
  } finally {
    await new Promise((resolve) => holder.close(resolve))
  }
}

test('a port that is taken, and one that two of our variables name, are refused by the names of the variables', async () => {
  await withHolder(async (port) => {
    await assert.rejects(assertPortsFree([wanted('127.0.0.1', 0), wanted('127.0.0.1', port, 'ADMIN')]), {
      code: 'RUNTIME_PORT_BUSY',
      message: `already in use: 127.0.0.1:${port} (ADMIN_PORT); stop what listens there, or set ADMIN_PORT to another port`,
    })
  })
  let free = 0
  await withHolder(async (port) => {
    free = port
  })
  await assertPortsFree([wanted('127.0.0.1', free)])
  const twice = [wanted('127.0.0.1', free), wanted('127.0.0.1', free, 'ADMIN')]
  await assert.rejects(assertPortsFree(twice), { code: 'RUNTIME_PORT_BUSY' })
  await assertPortsFree([wanted('127.0.0.1', free)])
})

test('an address that is not of this machine is refused by the name of its variable', async () => {
  await assert.rejects(assertPortsFree([wanted('203.0.113.1', 0)]), {
    code: 'RUNTIME_ADDRESS_UNUSABLE',
    message: /^203\.0\.113\.1 is no address of this machine: set GATEWAY_HOST/,
  })
})

test('each refusal of the system says what to change', () => {
  const says = (code: string) => unusable(wanted('shop.invalid', 80), Object.assign(new Error('no'), { code }))
  assert.match(says('EACCES'), /may not listen on port 80: set GATEWAY_PORT/)
  assert.match(says('ENOTFOUND'), /shop\.invalid does not resolve: correct GATEWAY_HOST/)
  assert.match(says('EAI_AGAIN'), /does not resolve/)
  assert.match(says('EAFNOSUPPORT'), /cannot listen on shop\.invalid:80 \(no\)/)
})

test('a port that is taken after it was tried is refused in the same words, and other errors pass', async () => {
  await withHolder(async (port) => {
    const listen = (address: { host: string; port: number }) =>
      new Promise<{ port: number }>((_, reject) => createServer().once('error', reject).listen(address))
    await assert.rejects(listenOn(wanted('127.0.0.1', port), listen), { code: 'RUNTIME_PORT_BUSY' })
  })
  const defect = new TypeError('defect')
  await assert.rejects(
    listenOn(wanted('127.0.0.1', 0), () => Promise.reject(defect)),
    defect,
  )
})

test('an address is shown as people type it', () => {
  assert.equal(originAt('0.0.0.0', 8000), 'http://localhost:8000')
  assert.equal(originAt('[::1]', 8001), 'http://localhost:8001')
  assert.equal(originAt('fe80::7', 8002), 'http://[fe80::7]:8002')
  assert.equal(originAt('shop.example', 80), 'http://shop.example:80')
})
