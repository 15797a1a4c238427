import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startCommand } from '../command/processes.ts'
import type { Arm, ArmName } from './arm.ts'
import { API_KEY, PATH } from './workload.ts'

/**
 * The gateway as its users start it, telemetry and all, configured by a Kong declarative file: with the service in the
 * same process, and alone in front of an upstream. key-auth knows one consumer, the limit of rate-limiting is never
 * reached, prometheus counts everything that it can.
 */
const APP = fileURLToPath(new URL('app.ts', import.meta.url))
const NEVER_REACHED_PER_MINUTE = 1_000_000_000

export type GatewayArm = Arm & { readonly adminUrl: string }

export function startInProcessArm(): Promise<GatewayArm> {
  return startGatewayArm('in-process', { url: 'http://hello-service:8080', args: ['start', APP] })
}

export function startProxiedArm(upstream: string): Promise<GatewayArm> {
  return startGatewayArm('proxied', { url: upstream, args: ['start', APP, '--only', 'gateway'] })
}

type Start = { readonly url: string; readonly args: readonly string[] }

async function startGatewayArm(name: ArmName, { url, args }: Start): Promise<GatewayArm> {
  const folder = await mkdtemp(join(tmpdir(), `groundswell-bench-${name}-`))
  try {
    const config = join(folder, 'kong.json')
    await writeFile(config, JSON.stringify(declarationOf(url)))
    const gateway = await startCommand(args, {
      GATEWAY_CONFIG: config,
      DATA_DIR: join(folder, 'data'),
      GATEWAY_HOST: '127.0.0.1',
      GATEWAY_PORT: '0',
      ADMIN_PORT: '0',
      CONSOLE_PORT: '0',
      PORT: '0',
      SHARDS: '1',
    })
    return {
      name,
      url: loopback(gateway.find(/^gateway +(http\S+)/m)),
      adminUrl: loopback(gateway.find(/^Admin API +(http\S+)/m)),
      pids: [gateway.pid],
      async stop() {
        await gateway.stop()
        await rm(folder, { recursive: true, force: true })
      },
    }
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  }
}

/** One address for the generator: `localhost` would be looked up. */
function loopback(url: string): string {
  return url.replace('//localhost:', '//127.0.0.1:')
}

function declarationOf(url: string) {
  return {
    _format_version: '3.0',
    services: [{ name: 'hello', url, routes: [{ name: 'hello', paths: [PATH], strip_path: false }] }],
    consumers: [{ username: 'bench', keyauth_credentials: [{ key: API_KEY }] }],
    plugins: [
      { name: 'key-auth' },
      { name: 'rate-limiting', config: { minute: NEVER_REACHED_PER_MINUTE, policy: 'local', limit_by: 'consumer' } },
      {
        name: 'prometheus',
        config: { status_code_metrics: true, latency_metrics: true, bandwidth_metrics: true, per_consumer: true },
      },
    ],
  }
}
