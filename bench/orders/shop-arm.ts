import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type OpenCluster, openCluster } from '../../src/data/index.ts'
import { type Answer, freePort, loadScenario, type ScenarioSetup } from '../../src/testing/index.ts'
import { startEventsServer } from '../command/broker.ts'
import { type ArmProcess, startCommand } from '../command/processes.ts'
import { type Arm, type ArmSettings, type OrderCounts, shopArmName } from './arm.ts'

/**
 * The shop, and the synchronous shop: each a PostgreSQL of its own in a temporary folder, started by `groundswell
 * database`, a broker of its own where events go through one, and its processes, started by `groundswell
 * start`. Key-auth is on as the applications declare it; rate-limiting is added with a limit that is never reached, so
 * that its work is done and nothing is refused.
 */
const APPS = {
  groundswell: fileURLToPath(new URL('../../examples/shop/app.ts', import.meta.url)),
  sync: fileURLToPath(new URL('../sync-shop/app.ts', import.meta.url)),
} as const
type Shop = keyof typeof APPS
const SCENARIO = new URL('../../examples/shop/load/orders.ts', import.meta.url)
const OTHER_SERVICES = [
  'user-service',
  'user-profile-service',
  'product-service',
  'payment-service',
  'inventory-service',
  'email-service',
  'shipping-service',
]
const NEVER_REACHED_PER_MINUTE = 1_000_000_000

/** `pid`: of the process with the gateway. */
export type ShopArm = Arm & { readonly pid: number; readonly cluster: OpenCluster }

export function startGroundswellArm(settings: ArmSettings): Promise<ShopArm> {
  return startShopArm('groundswell', settings)
}

export function startSyncArm(settings: ArmSettings): Promise<Arm> {
  return startShopArm('sync', { ...settings, topology: 'one' })
}

async function startShopArm(shop: Shop, settings: ArmSettings): Promise<ShopArm> {
  const folder = await mkdtemp(join(tmpdir(), `groundswell-bench-${shop}-`))
  const started: { stop(): Promise<void> }[] = [{ stop: () => rm(folder, { recursive: true, force: true }) }]
  const stop = async () => {
    for (const part of started.splice(0).reverse()) await part.stop()
  }
  try {
    const database = await startCommand(['database'], { DATA_DIR: join(folder, 'data'), DATABASE_URLS: '' })
    started.push(database)
    const urls = database.find(/DATABASE_URLS='([^']+)'/)
    const events = await startEventsServer(settings.events ?? 'postgres')
    started.push(events)
    const front = await startProcesses({ shop, urls, eventsUrl: events.url ?? '', folder, settings, started })
    const cluster = await openCluster({
      urls: urls.split(','),
      connectionsMax: 8,
      applicationName: 'groundswell-bench',
    })
    started.push({ stop: () => cluster.close({ deadlineAtMs: Date.now() + 5_000 }) })
    return { ...(await prepareArm({ shop, front, cluster, settings })), pid: front.pid, cluster, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

type Processes = {
  readonly shop: Shop
  readonly urls: string
  /** Empty where events stay in PostgreSQL. */
  readonly eventsUrl: string
  readonly folder: string
  readonly settings: ArmSettings
  readonly started: { stop(): Promise<void> }[]
}

/** Starts the processes of the topology; gives the one with the gateway. */
async function startProcesses({ shop, urls, eventsUrl, folder, settings, started }: Processes): Promise<ArmProcess> {
  const env = {
    DATABASE_URLS: urls,
    DATA_DIR: join(folder, 'none'),
    // Twelve connections a shard are plenty for batches; a request that holds one while it waits for a lock needs more.
    CONNECTIONS_MAX: shop === 'sync' ? '96' : '48',
    GATEWAY_PORT: '0',
    ADMIN_PORT: '0',
    CONSOLE_PORT: '0',
    ...(eventsUrl === '' ? {} : { EVENTS_URL: eventsUrl }),
    ...settings.env,
  }
  if (settings.topology === 'one') {
    const one = await startCommand(['start', APPS[shop]], env)
    started.push(one)
    return one
  }
  const [ordersPort, othersPort] = [await freePort(), await freePort()]
  const origins = Object.fromEntries(
    OTHER_SERVICES.map((service) => [variableOf(service), `http://127.0.0.1:${othersPort}`]),
  )
  const wiring = { ...env, ...origins, [variableOf('order-service')]: `http://127.0.0.1:${ordersPort}` }
  const others = await startCommand(['start', APPS[shop], '--only', OTHER_SERVICES.join(',')], {
    ...wiring,
    PORT: String(othersPort),
  })
  started.push(others)
  const front = await startCommand(['start', APPS[shop], '--only', 'gateway,order-service'], {
    ...wiring,
    PORT: String(ordersPort),
  })
  started.push(front)
  return front
}

function variableOf(service: string): string {
  return `${service.replaceAll('-', '_').toUpperCase()}_URL`
}

type Prepared = {
  readonly shop: Shop
  readonly front: ArmProcess
  readonly cluster: OpenCluster
  readonly settings: ArmSettings
}

async function prepareArm({ shop, front, cluster, settings }: Prepared): Promise<Omit<Arm, 'stop'>> {
  const name = shop === 'sync' ? 'sync' : shopArmName(settings.events ?? 'postgres')
  const url = loopback(front.find(/^gateway +(http\S+)/m))
  const adminUrl = loopback(front.find(/^Admin API +(http\S+)/m))
  await limitRate(adminUrl)
  const setup: ScenarioSetup = {
    url,
    adminUrl,
    fetch,
    settings: { users: String(settings.users), skus: String(settings.skus) },
    log: (line) => settings.log(`${name}: ${line}`),
  }
  const scenario = await loadScenario(SCENARIO)
  const state = await scenario.prepare(setup)
  return {
    name,
    url,
    request: (n) => scenario.request(state, n),
    verify: VERIFY[shop],
    counts: () => countOrders(cluster),
    strandsOrders: shop === 'sync',
    facts: await factsOf(cluster),
  }
}

/** One address for the generator: `localhost` would be looked up. */
function loopback(url: string): string {
  return url.replace('//localhost:', '//127.0.0.1:')
}

async function limitRate(adminUrl: string): Promise<void> {
  const config = { minute: NEVER_REACHED_PER_MINUTE, policy: 'local', limit_by: 'consumer' }
  const answer = await fetch(`${adminUrl}/plugins`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'rate-limiting', config }),
  })
  if (answer.status !== 201) throw new Error(`rate-limiting was refused: ${answer.status} ${await answer.text()}`)
}

const VERIFY: Readonly<Record<Shop, (answer: Answer) => string | undefined>> = {
  groundswell: ({ status, body }) => {
    if (status !== 202) return `status ${status}`
    return /^\{"orderId":"[0-9a-f-]{36}","status":"placed"\}$/.test(body) ? undefined : 'an answer without an order id'
  },
  sync: ({ status, body }) => {
    if (status !== 201) return `status ${status}`
    return /^\{"orderId":"[0-9a-f-]{36}","status":"shipped"\}$/.test(body) ? undefined : 'an order that did not ship'
  },
}

/** Both shops keep orders in a table of the same name. Shipped is the only right end here: everything is in stock. */
async function countOrders(cluster: OpenCluster): Promise<OrderCounts> {
  const text = `SELECT count(*)::int AS placed, (count(*) FILTER (WHERE status = 'shipped'))::int AS final FROM orders.orders`
  const counts = await Promise.all(cluster.shards.map(async (shard) => (await shard.query<OrderCounts>(text))[0]))
  return {
    placed: counts.reduce((sum, one) => sum + (one?.placed ?? 0), 0),
    final: counts.reduce((sum, one) => sum + (one?.final ?? 0), 0),
  }
}

async function factsOf(cluster: OpenCluster): Promise<Record<string, string>> {
  const names = ['server_version', 'fsync', 'synchronous_commit', 'shared_buffers']
  const rows = await cluster.home.query<{ name: string; setting: string }>(
    `SELECT name, current_setting(name) AS setting FROM pg_settings WHERE name = ANY ($1::text[])`,
    [names],
  )
  const facts = Object.fromEntries(rows.map(({ name, setting }) => [name, setting]))
  if (facts.fsync !== 'on') throw new Error(`fsync is ${facts.fsync}: this would measure something else`)
  return { ...facts, shards: String(cluster.shards.length) }
}
