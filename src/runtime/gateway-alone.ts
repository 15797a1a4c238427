import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type App, answerProbe, ConnectionDrain, type Health, type Lifecycle, stopListening } from '../core/index.ts'
import type { TelemetryView } from '../telemetry/index.ts'
import { type Addresses, describeApp } from './describe.ts'
import { startGateway } from './gateway.ts'
import type { RuntimeOptions } from './options.ts'
import { listenOn, originAt, wantedOf } from './ports.ts'
import type { StartedParts } from './started-parts.ts'
import { prepareTelemetry } from './telemetry.ts'
import type { Topology } from './topology.ts'
import { startTraces } from './traces.ts'

export type GatewayAloneParts = {
  readonly app: App
  readonly settings: RuntimeOptions
  readonly topology: Topology
  readonly started: StartedParts
  readonly health: Health & { started(): void }
  readonly log: (line: string) => void
}

export type GatewayAlone = {
  readonly addresses: Addresses
  readonly telemetry: TelemetryView
  describe(): Promise<string>
}

/** Whether a process needs no database at all: a gateway on its own whose configuration is a file. */
export function isGatewayAlone({ services, gateway, console }: Topology, settings: RuntimeOptions): boolean {
  const isOnlyGateway = gateway && !console && services.length === 0
  return isOnlyGateway && settings.gatewayConfig !== undefined && settings.databaseUrls === undefined
}

/** Starts that: no database, no services, no events. What it measures it shows itself, at `/metrics`. */
export async function startGatewayAlone(parts: GatewayAloneParts): Promise<GatewayAlone> {
  const { app, settings, topology, started, health, log } = parts
  const telemetry = prepareTelemetry({ app, topology, settings, cluster: undefined })
  started.push('telemetry', telemetry.stop)
  const metrics = settings.telemetry === 'off' ? {} : { metrics: telemetry.telemetry.page }
  const probes = createProbes(health)
  started.push('probes', probes.stop)
  const services = originAt(settings.services.host, await listenOn(wantedOf(settings).services, probes.listen))
  telemetry.start()
  const { sampleTrace } = await startTraces({ app, topology, settings, started, ...telemetry })
  log('opening ports')
  const shared = {
    app,
    settings,
    started,
    health,
    cluster: undefined,
    hosts: new Map(),
    metrics,
    sampleTrace,
    telemetry: telemetry.telemetry,
  }
  const gateway = await startGateway(shared)
  health.started()
  const addresses: Addresses = { databases: 'none', services, ...gateway.addresses }
  return {
    addresses,
    telemetry: telemetry.telemetry,
    describe: () => describeApp({ app, topology, addresses, shards: [], keyOf: gateway.keyOf }),
  }
}

type Probes = {
  listen(address: { readonly host: string; readonly port: number }): Promise<{ readonly port: number }>
  readonly stop: Lifecycle['stop']
}

/** `/livez` and `/readyz` on the port where every process of a fleet has them. */
function createProbes(health: Health): Probes {
  const server = createServer((request, response) => {
    const answer = answerProbe(request.url ?? '', health) ?? { status: 404, body: { message: 'Not found' } }
    response.writeHead(answer.status, { 'Content-Type': 'application/json' }).end(JSON.stringify(answer.body))
  })
  const connections = new ConnectionDrain(server)
  return {
    listen: ({ host, port }) =>
      new Promise((resolve, reject) => {
        server.once('error', reject)
        server.listen(port, host, () => {
          server.off('error', reject)
          resolve({ port: (server.address() as AddressInfo).port })
        })
      }),
    async stop(options) {
      if (server.listening) await connections.end(stopListening(server), options)
    },
  }
}
