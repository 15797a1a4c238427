import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import { type ShopProcess, startShop, temporaryDataDir } from './shop-process.ts'

/** The guide to authentication, as its readers follow it: its commands before the real shop, and what comes of them. */
let shop: ShopProcess
let dataDir: Awaited<ReturnType<typeof temporaryDataDir>>

before(async () => {
  dataDir = await temporaryDataDir()
  shop = await startShop(dataDir.path)
})

after(async () => {
  shop?.signal('SIGTERM')
  await shop?.exited
  await dataDir.remove()
})

type Command = { readonly url: string; readonly method: string; readonly type: string; readonly body: string }

/** The words of a shell command: bare, or in quotes of either kind. */
const WORD = /'([^']*)'|"([^"]*)"|(\S+)/g

/** What a `curl` of the guide sends. Several `--data` are one form, as curl makes it. */
function commandOf(text: string): Command {
  const words = [...text.matchAll(WORD)].map(([, single, double, bare]) => single ?? double ?? bare ?? '')
  const valuesOf = (flag: string) => words.flatMap((word, index) => (word === flag ? [words[index + 1] ?? ''] : []))
  return {
    url: (words.find((word) => word.startsWith('http://localhost:8001')) ?? '').replace(/^http:..[^/]*/, shop.admin),
    method: valuesOf('-X')[0] ?? 'GET',
    type: valuesOf('-H')[0]?.replace(/^Content-Type: /, '') ?? 'application/x-www-form-urlencoded',
    body: valuesOf('--data').join('&'),
  }
}

async function commandBlocks(): Promise<readonly (readonly Command[])[]> {
  const guide = await readFile(new URL('../docs/guides/authentication.md', import.meta.url), 'utf8')
  return [...guide.matchAll(/```sh\n(.*?)```/gs)].map(([, block = '']) => {
    const lines = block.replaceAll(/\s#.*$/gm, '').replaceAll('\\\n', ' ')
    return lines.split(/^(?=curl )/m).map(commandOf)
  })
}

type Reply = { readonly id: string; readonly key: string; readonly secret: string }

async function send({ url, method, type, body }: Command): Promise<Reply> {
  const response = await fetch(url, { method, headers: { 'content-type': type }, ...(body !== '' && { body }) })
  const text = await response.text()
  assert.equal(response.status, 201, `${method} ${url} ${body}: ${text}`)
  return JSON.parse(text)
}

test('every command of the guide is accepted as it is written', async () => {
  const blocks = await commandBlocks()
  assert.equal(blocks.length, 5)
  for (const block of blocks) {
    for (const command of block) {
      const { id } = await send(command)
      // Sections stand for themselves: each puts its own plugins on the service.
      if (command.url.endsWith('/services/order-service/plugins'))
        await fetch(`${shop.admin}/plugins/${id}`, { method: 'DELETE' })
    }
  }
})

const post = (path: string, body: string) =>
  send({ url: shop.admin + path, method: 'POST', type: 'application/x-www-form-urlencoded', body })

test('of a token, a password and neither, the first two see the products when their group may', async () => {
  await post('/consumers', 'username=reader')
  const { key, secret } = await post('/consumers/reader/jwt', '')
  await post('/consumers/reader/basic-auth', 'username=reader&password=secret')
  await post('/consumers/reader/acls', 'group=readers')
  await post('/consumers', 'username=nobody')
  for (const name of ['jwt', 'basic-auth']) {
    await post('/services/product-service/plugins', `name=${name}&config.anonymous=nobody`)
  }
  await post('/services/product-service/plugins', 'name=acl&config.allow=readers')
  const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const signed = `${encoded({ alg: 'HS256' })}.${encoded({ iss: key })}`
  const signature = createHmac('sha256', secret).update(signed).digest('base64url')
  const statusWith = async (authorization: string) => {
    const response = await fetch(`${shop.gateway}/products`, { headers: { authorization } })
    await response.arrayBuffer()
    return response.status
  }
  assert.equal(await statusWith(`Bearer ${signed}.${signature}`), 200)
  assert.equal(await statusWith(`Basic ${Buffer.from('reader:secret').toString('base64')}`), 200)
  assert.equal(await statusWith(`Bearer ${signed}.x`), 403)
  assert.equal(await statusWith('Basic x'), 403)
})
