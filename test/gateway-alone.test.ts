import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { until } from '../src/testing/index.ts'
import { run, startShop } from './shop-process.ts'

const configOf = (port: number, path: string) =>
  JSON.stringify({
    _format_version: '3.0',
    services: [{ name: 'echo', url: `http://127.0.0.1:${port}`, routes: [{ name: 'echo', paths: [path] }] }],
  })

test('a gateway alone runs from a file, without any database, and follows the file', async (context) => {
  const upstream = createServer((_request, response) => void response.end('from the upstream'))
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  const { port } = upstream.address() as AddressInfo
  const folder = await mkdtemp(join(tmpdir(), 'groundswell-alone-'))
  const path = join(folder, 'kong.yml')
  await writeFile(path, configOf(port, '/first'))
  const gateway = await startShop(folder, { args: ['--only', 'gateway'], env: { GATEWAY_CONFIG: path } })
  context.after(async () => {
    gateway.signal('SIGTERM')
    assert.equal(await gateway.exited, 0)
    upstream.closeAllConnections()
    upstream.close()
    await rm(folder, { recursive: true })
  })

  const answer = await fetch(`${gateway.gateway}/first`)
  assert.deepEqual([answer.status, await answer.text()], [200, 'from the upstream'])
  const probes = /^probes +(http\S+)/m.exec(gateway.output())?.[1]
  assert.equal((await fetch(`${probes}/readyz`)).status, 200)
  const { configuration } = (await (await fetch(gateway.admin)).json()) as { configuration: unknown }
  assert.deepEqual(configuration, { database: 'off' })

  const exported = await run(['gateway', 'export', '--format', 'apisix', '--admin-url', gateway.admin, '--json'])
  assert.equal(exported.code, 0, exported.stderr)
  const { text, omitted } = JSON.parse(exported.stdout) as { text: string; omitted: unknown }
  assert.match(text, /uris:\n +- \/first\*/)
  assert.deepEqual(omitted, [])
  const imported = await run(['gateway', 'import', path, '--admin-url', gateway.admin])
  assert.deepEqual([imported.code, imported.stdout], [0, '0 created, 0 updated, 2 unchanged\n'], imported.stderr)

  await writeFile(path, configOf(port, '/second'))
  await until(async () => (await fetch(`${gateway.gateway}/second`)).status === 200, { what: 'the changed file' })
  assert.equal((await fetch(`${gateway.gateway}/first`)).status, 404)

  await writeFile(path, '_format_version: "3.0"\nservices: [{}]\n')
  await until(() => /configuration file cannot be used/.test(gateway.output()), { what: 'the refusal in the log' })
  assert.equal((await fetch(`${gateway.gateway}/second`)).status, 200)
})
