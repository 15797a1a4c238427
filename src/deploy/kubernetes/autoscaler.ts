import { CPU_UTILIZATION_PERCENT, EVENT_LOOP_UTILIZATION_PERCENT, SCALE_DOWN_SECONDS } from '../limits.ts'
import { EVENT_LOOP_UTILIZATION, LAG_EVENTS, REQUESTS_PER_SECOND } from '../metric-names.ts'
import type { RenderOptions } from '../options.ts'
import type { Workload } from '../workload.ts'
import { CONTAINER } from './deployment.ts'
import { type Manifest, metadataOf } from './manifest.ts'

/**
 * What changes the number of a workload's replicas: processor time, how busy its event loops are, requests a second
 * where the service says how many it takes, and the backlog of its consumer group. One object for one Deployment: KEDA
 * makes a HorizontalPodAutoscaler of its own, so with it there is none of ours beside. Undefined for a fixed number.
 */
export function autoscaler(app: string, workload: Workload, options: RenderOptions): Manifest | undefined {
  if (workload.scale.replicasMax === workload.scale.replicas) return undefined
  const isKeda = options.autoscaler === 'keda' && workload.topics.length > 0
  return isKeda ? scaledObject(app, workload, options) : horizontalPodAutoscaler(app, workload)
}

function horizontalPodAutoscaler(app: string, workload: Workload): Manifest {
  const { replicas, replicasMax, requestsPerSecond, lagEvents } = workload.scale
  return {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: metadataOf(app, workload),
    spec: {
      scaleTargetRef: targetOf(workload),
      minReplicas: replicas,
      maxReplicas: replicasMax,
      metrics: [
        {
          type: 'ContainerResource',
          containerResource: {
            name: 'cpu',
            container: CONTAINER,
            target: { type: 'Utilization', averageUtilization: CPU_UTILIZATION_PERCENT },
          },
        },
        podsMetric(EVENT_LOOP_UTILIZATION, `${EVENT_LOOP_UTILIZATION_PERCENT * 10}m`),
        ...(requestsPerSecond === undefined ? [] : [podsMetric(REQUESTS_PER_SECOND, String(requestsPerSecond))]),
        ...(workload.topics.length === 0 ? [] : [lagMetric(workload.name, lagEvents)]),
      ],
      behavior: BEHAVIOR,
    },
  }
}

function targetOf(workload: Workload) {
  return { apiVersion: 'apps/v1', kind: 'Deployment', name: workload.name }
}

function podsMetric(name: string, averageValue: string) {
  return { type: 'Pods', pods: { metric: { name }, target: { type: 'AverageValue', averageValue } } }
}

function lagMetric(group: string, lagEvents: number) {
  const selector = { matchLabels: { consumer_group: group } }
  const target = { type: 'AverageValue', averageValue: String(lagEvents) }
  return { type: 'External', external: { metric: { name: LAG_EVENTS, selector }, target } }
}

/** Up at once, since users wait; down slowly, since the next wave of a sale finds what is still there. */
const BEHAVIOR = {
  scaleUp: {
    stabilizationWindowSeconds: 0,
    selectPolicy: 'Max',
    policies: [
      { type: 'Percent', value: 100, periodSeconds: 15 },
      { type: 'Pods', value: 4, periodSeconds: 15 },
    ],
  },
  scaleDown: {
    stabilizationWindowSeconds: SCALE_DOWN_SECONDS,
    policies: [{ type: 'Percent', value: 25, periodSeconds: 60 }],
  },
}

function scaledObject(app: string, workload: Workload, { prometheusUrl }: RenderOptions): Manifest {
  const { replicas, replicasMax, lagEvents } = workload.scale
  const query = (text: string, threshold: number) => ({
    type: 'prometheus',
    metadata: { serverAddress: prometheusUrl, query: text, threshold: String(threshold) },
  })
  return {
    apiVersion: 'keda.sh/v1alpha1',
    kind: 'ScaledObject',
    metadata: metadataOf(app, workload),
    spec: {
      scaleTargetRef: targetOf(workload),
      minReplicaCount: replicas,
      maxReplicaCount: replicasMax,
      pollingInterval: 15,
      cooldownPeriod: SCALE_DOWN_SECONDS,
      // When Prometheus is away, what there was at the start is still there.
      fallback: { failureThreshold: 4, replicas, behavior: 'currentReplicasIfHigher' },
      advanced: { horizontalPodAutoscalerConfig: { behavior: BEHAVIOR } },
      triggers: [
        {
          type: 'cpu',
          metricType: 'Utilization',
          metadata: { value: String(CPU_UTILIZATION_PERCENT), containerName: CONTAINER },
        },
        // Each topic once: the process that measures changes, and for a moment two of them tell.
        query(`sum(max by (topic) (${LAG_EVENTS}{consumer_group="${workload.name}"}))`, lagEvents),
      ],
    },
  }
}
