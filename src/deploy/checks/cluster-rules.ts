import { NAME_CHARACTERS_MAX } from '../limits.ts'
import { EVENT_LOOP_UTILIZATION, LAG_EVENTS, REQUESTS_PER_SECOND } from '../metric-names.ts'
import { type Cluster, type ClusterObject, containersOf, hasPort, podLabels } from './cluster.ts'
import { at, isWithin, itemsAt, type Json, numberAt, objectAt, quantity, textAt, textsAt } from './json.ts'
import { isSecret } from './pod-rules.ts'
import type { Verdict } from './rule.ts'

type ObjectRule = {
  /** Kinds it is about; all when absent. */
  readonly kinds?: readonly string[]
  readonly check: (object: ClusterObject, cluster: Cluster) => Verdict
}

const SCALERS = ['HorizontalPodAutoscaler', 'ScaledObject']
const KNOWN_METRICS = [EVENT_LOOP_UTILIZATION, LAG_EVENTS, REQUESTS_PER_SECOND]

/** Rules about objects and how they refer to each other, by name. */
export const OBJECT_RULES: Readonly<Record<string, ObjectRule>> = {
  'name is a DNS label': {
    check: ({ name }) =>
      !(/^[a-z]([a-z0-9-]*[a-z0-9])?$/.test(name) && name.length <= NAME_CHARACTERS_MAX) &&
      `"${name}" must be lower case letters, digits and dashes, at most ${NAME_CHARACTERS_MAX}`,
  },
  'declared once': {
    check: (object, { objects }) =>
      objects.some((other) => other !== object && other.kind === object.kind && other.name === object.name) &&
      'there is another of the same kind and name',
  },
  'holds no secret': {
    kinds: ['Secret', 'ConfigMap'],
    check: ({ kind, value }) => {
      if (kind === 'Secret') return 'a Secret in a file ends up in a repository: create it in the cluster'
      const told = Object.entries(objectAt(value, 'data')).filter(([name, text]) => isSecret(name, text))
      return told.length > 0 && `${told.map(([name]) => name).join(', ')} must be in a Secret`
    },
  },
  'service selects pods': {
    kinds: ['Service'],
    check: ({ value }, cluster) =>
      cluster.selected(objectAt(value, 'spec.selector')).length === 0 && 'its selector selects no pod',
  },
  'service port exists': {
    kinds: ['Service'],
    check: ({ value }, cluster) => {
      const containers = cluster
        .selected(objectAt(value, 'spec.selector'))
        .flatMap((workload) => containersOf(workload.value))
      const astray = itemsAt(value, 'spec.ports').filter(
        ({ port, targetPort = port }) => !containers.some((container) => hasPort(container, targetPort)),
      )
      return astray.length > 0 && `no container has port ${astray.map(({ targetPort }) => targetPort).join(', ')}`
    },
  },
  'scaler has a target': {
    kinds: SCALERS,
    check: ({ value }, cluster) =>
      targetOf(value, cluster) === undefined && 'the Deployment that it scales is not there',
  },
  'scaler is alone': {
    kinds: SCALERS,
    check: (object, cluster) => {
      const target = textAt(object.value, 'spec.scaleTargetRef.name')
      const others = cluster
        .ofKind(...SCALERS)
        .filter((other) => other !== object && textAt(other.value, 'spec.scaleTargetRef.name') === target)
      return others.length > 0 && `${others.map(({ kind }) => kind).join(', ')} scales ${target} too: they would fight`
    },
  },
  'scaler has room': {
    kinds: SCALERS,
    check: ({ value }, cluster) => {
      const { min, max } = boundsOf(value)
      const replicas = numberAt(targetOf(value, cluster)?.value, 'spec.replicas') ?? 1
      const isSound = min >= 1 && min <= max && replicas >= min && replicas <= max
      return !isSound && `from ${min} to ${max} replicas, beginning with ${replicas}: these contradict each other`
    },
  },
  'scaler can measure': {
    kinds: ['HorizontalPodAutoscaler'],
    check: ({ value }, cluster) => {
      const containers = containersOf(targetOf(value, cluster)?.value ?? {})
      const blind = itemsAt(value, 'spec.metrics')
        .map((metric) => objectAt(metric, 'containerResource'))
        .filter(({ container }) => container !== undefined)
        .filter(({ container, name }) => {
          const measured = containers.find((candidate) => candidate.name === container)
          return quantity(at(measured, `resources.requests.${name}`)) === undefined
        })
      return blind.length > 0 && 'it measures a share of a request that no container of that name makes'
    },
  },
  'metric is known': {
    kinds: ['HorizontalPodAutoscaler'],
    check: ({ value }) => {
      const names = itemsAt(value, 'spec.metrics').flatMap((metric) =>
        ['pods', 'external'].map((type) => textAt(metric, `${type}.metric.name`)).filter((name) => name !== undefined),
      )
      const unknown = names.filter((name) => !KNOWN_METRICS.includes(name))
      return unknown.length > 0 && `nothing measures ${unknown.join(', ')}`
    },
  },
  'budget lets a node be emptied': {
    kinds: ['PodDisruptionBudget'],
    check: ({ value }, cluster) => {
      const [workload] = cluster.selected(objectAt(value, 'spec.selector.matchLabels'))
      if (workload === undefined) return 'its selector selects no pod'
      const replicas = numberAt(workload.value, 'spec.replicas') ?? 1
      const kept = numberAt(value, 'spec.minAvailable') ?? replicas - (numberAt(value, 'spec.maxUnavailable') ?? 0)
      return kept >= replicas && `of ${replicas} pods ${kept} must stay: no node that has one can ever be emptied`
    },
  },
  'policy lets in what must come': {
    kinds: ['NetworkPolicy'],
    check: ({ value }, cluster) => {
      const workloads = cluster.selected(objectAt(value, 'spec.podSelector.matchLabels'))
      if (workloads.length === 0) return 'it selects no pod'
      const shut = workloads
        .flatMap((workload) => neededPorts(workload.value, cluster))
        .filter((port) => !admits(value, port))
      return shut.length > 0 && `nobody may connect to ${[...new Set(shut)].join(', ')}`
    },
  },
  'policy lets names be resolved': {
    kinds: ['NetworkPolicy'],
    check: ({ value }) => {
      if (!textsAt(value, 'spec.policyTypes').includes('Egress')) return undefined
      const ports = itemsAt(value, 'spec.egress').flatMap((rule) =>
        rule.ports === undefined ? [53] : itemsAt(rule, 'ports').map(({ port }) => port),
      )
      return !ports.includes(53) && 'egress without port 53: no host name resolves'
    },
  },
  'kustomization names every file': {
    kinds: ['Kustomization'],
    check: ({ value, file }, { objects, files }) => {
      const listed = textsAt(value, 'resources')
      const missing = listed.filter((path) => !files.includes(path))
      const manifests = new Set(objects.filter((object) => object.file !== file).map((object) => object.file))
      const forgotten = [...manifests].filter((path) => !listed.includes(path))
      if (missing.length > 0) return `there is no ${missing.join(', ')}`
      return forgotten.length > 0 && `${forgotten.join(', ')} would not be applied`
    },
  },
}

function targetOf(scaler: Json, cluster: Cluster): ClusterObject | undefined {
  return cluster.find('Deployment', textAt(scaler, 'spec.scaleTargetRef.name'))
}

function boundsOf(scaler: Json): { readonly min: number; readonly max: number } {
  const min = numberAt(scaler, 'spec.minReplicas') ?? numberAt(scaler, 'spec.minReplicaCount') ?? 0
  return { min, max: numberAt(scaler, 'spec.maxReplicas') ?? numberAt(scaler, 'spec.maxReplicaCount') ?? 0 }
}

/** Names of the ports of a workload that its Services, and Prometheus, connect to. */
function neededPorts(workload: Json, cluster: Cluster): readonly string[] {
  const services = cluster
    .ofKind('Service')
    .filter(({ value }) => isWithin(objectAt(value, 'spec.selector'), podLabels(workload)))
  const reached = services.flatMap(({ value }) =>
    itemsAt(value, 'spec.ports').map(({ targetPort }) => String(targetPort)),
  )
  const scraped = Number(
    textAt(objectAt(workload, 'spec.template.metadata.annotations'), 'prometheus.io/port') ?? Number.NaN,
  )
  const named = containersOf(workload)
    .flatMap((container) => itemsAt(container, 'ports'))
    .filter(({ containerPort }) => containerPort === scraped)
  return [...reached, ...named.map(({ name }) => String(name))]
}

function admits(policy: Json, port: string): boolean {
  return itemsAt(policy, 'spec.ingress').some((rule) => {
    return rule.ports === undefined || itemsAt(rule, 'ports').some((entry) => String(entry.port) === port)
  })
}
