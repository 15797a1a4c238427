import type { Workload } from '../workload.ts'
import { appLabels, type Manifest, metadataOf, selectorLabels } from './manifest.ts'

/** Where Prometheus is usually installed; what runs in that namespace may scrape. */
export const MONITORING_NAMESPACE = 'monitoring'

/** A name in the network for whoever calls the workload: the one by which the gateway and other services find it. */
export function networkService(app: string, workload: Workload): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: metadataOf(app, workload),
    spec: {
      type: 'ClusterIP',
      selector: selectorLabels(app, workload),
      ports: workload.ports.map(({ name, port }) => ({
        name,
        // Clients expect the gateway where the web is.
        port: name === 'proxy' ? 80 : port,
        targetPort: name,
        appProtocol: 'http',
      })),
    },
  }
}

/**
 * Who may connect to the pods of a workload. Services believe the gateway's header that says who calls, so only pods of
 * the application reach them. Which service calls which is in their code and not in the application value: a narrower
 * policy would be a guess. Probes of the node are always let in by Kubernetes.
 */
export function networkPolicy(app: string, workload: Workload): Manifest {
  const http = { ports: [{ protocol: 'TCP', port: 'http' }] }
  const monitoring = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': MONITORING_NAMESPACE } } }
  const own = { podSelector: { matchLabels: appLabels(app) } }
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: metadataOf(app, workload),
    spec: {
      podSelector: { matchLabels: selectorLabels(app, workload) },
      policyTypes: ['Ingress'],
      ingress: [
        ...(workload.component === 'gateway' ? [{ ports: [{ protocol: 'TCP', port: 'proxy' }] }] : []),
        { from: workload.component === 'service' ? [own, monitoring] : [monitoring], ...http },
      ],
    },
  }
}

/** Lets nodes be emptied, one pod of a workload at a time. */
export function disruptionBudget(app: string, workload: Workload): Manifest {
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: metadataOf(app, workload),
    spec: {
      maxUnavailable: 1,
      unhealthyPodEvictionPolicy: 'AlwaysAllow',
      selector: { matchLabels: selectorLabels(app, workload) },
    },
  }
}
