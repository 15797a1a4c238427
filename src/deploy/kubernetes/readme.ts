import type { App } from '../../core/index.ts'
import type { RenderOptions } from '../options.ts'
import { type RenderedFile, sealed } from '../rendered-file.ts'
import { connectionsOf, connectionsTotal } from '../sizing.ts'
import type { Workload } from '../workload.ts'
import { objectNames } from './manifest.ts'
import { MONITORING_NAMESPACE } from './network.ts'

export type ReadmeParts = {
  readonly app: App
  readonly workloads: readonly Workload[]
  readonly options: RenderOptions
}

/** How to get from the folder to a running application, and what the cluster must have. */
export function readme({ app, workloads, options }: ReadmeParts): RenderedFile {
  const names = objectNames(app.name)
  const urls = Array.from({ length: Math.min(options.shards, 2) }, (_, shard) => `postgres://…/shard_${shard}`)
  const list = options.shards > 2 ? `${urls.join(',')},…` : urls.join(',')
  const each = connectionsOf(options.shards)
  const total = connectionsTotal(workloads, options.shards)
  const text = `# ${app.name} on Kubernetes

Rendered from the application; render again instead of editing. The image is built from the folder that holds package.json:

\`\`\`sh
docker build -f <this folder>/Dockerfile -t ${options.image} . && docker push ${options.image}
\`\`\`

## First start
The databases are yours: ${options.shards}, one per shard, empty. They must take ${total} connections in all when every workload
has its most replicas (${each} a process). Their URLs, and every other secret, are never in these files:

\`\`\`sh
kubectl apply -f shared.yaml
kubectl -n ${names.namespace} create secret generic ${names.databases} --from-literal=DATABASE_URLS='${list}'
${eventsLine(names, options)}${cacheLine(names, options)}kubectl apply -k .
kubectl -n ${names.namespace} rollout status deployment/gateway
\`\`\`

Each process applies the migrations when it starts, one process at a time, and is not ready before they are done. So a migration
must leave the tables usable for the version that still runs beside it. Settings of the application's own \`app.ts\` go into a
Secret \`${names.settings}\`, which services read if it is there.

## Reach it
The Service \`gateway\` is inside the cluster, on port 80: put your Ingress or Gateway, with TLS, before it. Admin API and console have
no address in the network:

\`\`\`sh
kubectl -n ${names.namespace} port-forward deployment/gateway 8001
kubectl -n ${names.namespace} port-forward deployment/console 8002
\`\`\`

## What the cluster must have
- Kubernetes 1.30 or newer: a pod waits before it stops by the \`sleep\` action.
- metrics-server, for processor time.
- Prometheus in the namespace \`${MONITORING_NAMESPACE}\` that scrapes pods by their annotations \`prometheus.io/*\` and labels
  what it finds with \`namespace\` and \`pod\`.
${scalerLine(options)}- A network plugin that enforces NetworkPolicies; without one they have no effect, and every pod of the cluster can call services
  past the gateway.
`
  return sealed('README.md', text)
}

const EVENTS_URLS = { kafka: 'kafka+ssl://…:9093', rabbitmq: 'amqps://…/…' } as const

function eventsLine(names: ReturnType<typeof objectNames>, { events }: RenderOptions): string {
  if (events === 'postgres') return ''
  const literal = `--from-literal=EVENTS_URL='${EVENTS_URLS[events]}'`
  return `kubectl -n ${names.namespace} create secret generic ${names.events} ${literal}\n`
}

function cacheLine(names: ReturnType<typeof objectNames>, { variables }: RenderOptions): string {
  if (!variables.has('CACHE_URL')) return ''
  return `kubectl -n ${names.namespace} create secret generic ${names.cache} --from-literal=CACHE_URL='redis://…'   # optional\n`
}

function scalerLine({ autoscaler, prometheusUrl }: RenderOptions): string {
  if (autoscaler === 'keda') {
    return `- KEDA 2.17 or newer, which asks ${prometheusUrl} for the backlog of consumers. prometheus-adapter for the other
  workloads is optional: without it they scale by processor time, and up only.\n`
  }
  return `- prometheus-adapter with prometheus-adapter-values.yaml, for how busy event loops are and for the backlog of consumers.
  Without it the autoscalers work by processor time alone, and only upwards.\n`
}
