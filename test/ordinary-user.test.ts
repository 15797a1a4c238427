import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chown, copyFile, cp, mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { clientOf, type ShopProcess, type SpawnOptions, startShop, temporaryDataDir } from './shop-process.ts'

/**
 * The first start as an ordinary user: as who runs the tests, or as `nobody` when that is root, as whom all the other
 * tests start it.
 */
type Account = NonNullable<SpawnOptions['account']>
type Checkout = NonNullable<SpawnOptions['checkout']>

const ROOT = resolve(import.meta.dirname, '..')

test('an ordinary user starts the shop, whose PostgreSQL then runs as that user', async (context) => {
  const account = process.getuid?.() === 0 ? await findNobody() : undefined
  if (account === 'none') return context.skip('run by root, and there is no user nobody')
  const dataDir = await temporaryDataDir()
  const checkout = account === undefined || mayRun(account) ? undefined : await copyOfCheckout()
  let shop: ShopProcess | undefined
  try {
    if (account !== undefined) await chown(dataDir.path, account.uid, account.gid)
    shop = await startShop(dataDir.path, {
      ...(account === undefined ? {} : { account, env: { HOME: dataDir.path } }),
      ...(checkout === undefined ? {} : { checkout }),
    })
    const buyer = await clientOf(shop)
    const order = { userId: 1, lines: [{ sku: 'poncho', quantity: 1 }], cardToken: 'tok_visa' }
    assert.equal((await buyer('POST', '/orders', order)).status, 202)
    assert.equal((await stat(join(dataDir.path, 'connection.json'))).uid, account?.uid ?? process.getuid?.())
    shop.signal('SIGTERM')
    assert.equal(await shop.exited, 0)
  } finally {
    shop?.signal('SIGTERM')
    await shop?.exited
    await dataDir.remove()
    if (checkout !== undefined) await rm(checkout.folder, { recursive: true, force: true })
  }
})

async function findNobody(): Promise<Account | 'none'> {
  const line = /^nobody:[^:]*:(\d+):(\d+):/m.exec(await readFile('/etc/passwd', 'utf8'))
  return line === null ? 'none' : { uid: Number(line[1]), gid: Number(line[2]) }
}

/** Whether the account gets at our checkout and our Node: below /root, or with a strict umask, it does not. */
function mayRun(account: Account): boolean {
  const tried = spawnSync(process.execPath, ['bin/groundswell.js', 'shards', '--help'], { cwd: ROOT, ...account })
  return tried.error === undefined && tried.status === 0
}

/** What a start needs, where everybody can read it. */
async function copyOfCheckout(): Promise<Checkout> {
  const folder = await mkdtemp(join(tmpdir(), 'groundswell-checkout-'))
  const unneeded = /node_modules\/(?:@biomejs|@typescript|typescript|knip|@oxc-\w+|node)(?:\/|$)/
  for (const part of ['package.json', 'bin', 'src', 'examples', 'node_modules']) {
    const filter = (source: string) => !unneeded.test(source.slice(ROOT.length))
    await cp(join(ROOT, part), join(folder, part), { recursive: true, filter, verbatimSymlinks: true })
  }
  const node = join(folder, 'node')
  await copyFile(process.execPath, node)
  assert.equal(spawnSync('chmod', ['-R', 'a+rX', folder]).status, 0)
  return { folder, node }
}
