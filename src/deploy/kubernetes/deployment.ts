import { STOP_GRACE_MS } from '../../core/index.ts'
import { IMAGE_USER } from '../image.ts'
import {
  HEAP_PERCENT,
  KILL_MARGIN_SECONDS,
  MIN_READY_SECONDS,
  PRE_STOP_SECONDS,
  REVISIONS_KEPT,
  STARTUP_SECONDS_MAX,
} from '../limits.ts'
import type { RenderOptions } from '../options.ts'
import { connectionsOf } from '../sizing.ts'
import type { Workload } from '../workload.ts'
import { labelsOf, type Manifest, metadataOf, objectNames, selectorLabels } from './manifest.ts'

/** Name of the one container of a pod. Autoscaling measures it by this name, whatever a mesh puts beside it. */
export const CONTAINER = 'app'

/**
 * A workload's Deployment. Rolling updates lose no request: a new pod is ready before an old one goes, and an old one
 * serves on while the cluster forgets its address, then drains, and is killed only when all of that is over.
 */
export function deployment(app: string, workload: Workload, options: RenderOptions): Manifest {
  const labels = labelsOf(app, workload)
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: metadataOf(app, workload),
    spec: {
      replicas: workload.scale.replicas,
      revisionHistoryLimit: REVISIONS_KEPT,
      minReadySeconds: MIN_READY_SECONDS,
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: '25%' } },
      selector: { matchLabels: selectorLabels(app, workload) },
      template: {
        metadata: { labels, annotations: SCRAPE },
        spec: podSpec(app, workload, options),
      },
    },
  }
}

const SCRAPE = { 'prometheus.io/scrape': 'true', 'prometheus.io/port': '8080', 'prometheus.io/path': '/metrics' }

function podSpec(app: string, workload: Workload, options: RenderOptions) {
  return {
    serviceAccountName: objectNames(app).serviceAccount,
    automountServiceAccountToken: false,
    // Else the Service `gateway` would set GATEWAY_PORT=tcp://… in every pod, which is a setting of ours.
    enableServiceLinks: false,
    terminationGracePeriodSeconds: PRE_STOP_SECONDS + STOP_GRACE_MS / 1_000 + KILL_MARGIN_SECONDS,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: IMAGE_USER,
      runAsGroup: IMAGE_USER,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    topologySpreadConstraints: ['topology.kubernetes.io/zone', 'kubernetes.io/hostname'].map((topologyKey) => ({
      maxSkew: 1,
      topologyKey,
      whenUnsatisfiable: 'ScheduleAnyway',
      labelSelector: { matchLabels: selectorLabels(app, workload) },
      matchLabelKeys: ['pod-template-hash'],
    })),
    containers: [container(app, workload, options)],
  }
}

function container(app: string, workload: Workload, options: RenderOptions) {
  return {
    name: CONTAINER,
    image: options.image,
    args: ['start', options.appPath, '--only', workload.name],
    ports: workload.ports.map(({ name, port }) => ({ name, containerPort: port })),
    envFrom: [
      { configMapRef: { name: objectNames(app).config } },
      ...(workload.component === 'service' ? [{ secretRef: { name: objectNames(app).settings, optional: true } }] : []),
    ],
    env: environment(app, workload, options),
    resources: {
      requests: { cpu: `${workload.scale.cpuMillis.request}m`, memory: `${workload.scale.memoryMib.request}Mi` },
      limits: { cpu: `${workload.scale.cpuMillis.limit}m`, memory: `${workload.scale.memoryMib.limit}Mi` },
    },
    startupProbe: probe('/livez', { periodSeconds: 2, failureThreshold: STARTUP_SECONDS_MAX / 2 }),
    livenessProbe: probe('/livez', { periodSeconds: 10, failureThreshold: 3 }),
    readinessProbe: probe('/readyz', { periodSeconds: 5, failureThreshold: 2 }),
    lifecycle: { preStop: { sleep: { seconds: PRE_STOP_SECONDS } } },
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
  }
}

function probe(path: string, times: { readonly periodSeconds: number; readonly failureThreshold: number }) {
  return { httpGet: { path, port: 'http' }, timeoutSeconds: 1, ...times }
}

function environment(app: string, { scale }: Workload, { shards, events, partitions, variables }: RenderOptions) {
  const names = objectNames(app)
  const secret = (name: string, secretName: string, optional?: true) => ({
    name,
    valueFrom: { secretKeyRef: { name: secretName, key: name, ...(optional && { optional }) } },
  })
  return [
    secret('DATABASE_URLS', names.databases),
    ...(variables.has('CACHE_URL') ? [secret('CACHE_URL', names.cache, true)] : []),
    // Not optional: a pod that went without would write to a log that nobody forwards.
    ...(events === 'postgres'
      ? []
      : [secret('EVENTS_URL', names.events), { name: 'EVENTS_PARTITIONS', value: String(partitions) }]),
    { name: 'CONNECTIONS_MAX', value: String(connectionsOf(shards)) },
    { name: 'NODE_OPTIONS', value: `--max-old-space-size=${Math.floor((scale.memoryMib.limit * HEAP_PERCENT) / 100)}` },
  ]
}
