import { isWithin, itemsAt, type Json, objectAt, textAt } from './json.ts'

/** One object of Kubernetes and the file it is in. */
export type ClusterObject = {
  readonly file: string
  readonly kind: string
  readonly name: string
  readonly value: Json
}

/** All objects of a folder, as rules look at them. */
export type Cluster = {
  readonly objects: readonly ClusterObject[]
  /** Names of the files of the folder. */
  readonly files: readonly string[]
  ofKind(...kinds: readonly string[]): readonly ClusterObject[]
  find(kind: string, name: string | undefined): ClusterObject | undefined
  /** Workloads whose pods a selector selects. */
  selected(labels: Json): readonly ClusterObject[]
}

export function clusterOf(objects: readonly ClusterObject[], files: readonly string[]): Cluster {
  const ofKind = (...kinds: readonly string[]) => objects.filter(({ kind }) => kinds.includes(kind))
  return {
    objects,
    files,
    ofKind,
    find: (kind, name) => objects.find((object) => object.kind === kind && object.name === name),
    selected: (labels) => ofKind('Deployment').filter(({ value }) => isWithin(labels, podLabels(value))),
  }
}

export function podLabels(workload: Json): Json {
  return objectAt(workload, 'spec.template.metadata.labels')
}

export function podSpec(workload: Json): Json {
  return objectAt(workload, 'spec.template.spec')
}

export function containersOf(workload: Json): readonly Json[] {
  return itemsAt(podSpec(workload), 'containers')
}

/** Whether a port, named or numbered, is one of a container's. */
export function hasPort(container: Json, port: unknown): boolean {
  return itemsAt(container, 'ports').some(({ name, containerPort }) => name === port || containerPort === port)
}

/** What a container's environment says of a variable, in itself or in a ConfigMap of the folder. */
export function variableOf(container: Json, name: string, cluster: Cluster): string | undefined {
  const own = itemsAt(container, 'env').find((entry) => entry.name === name)
  if (own !== undefined) return textAt(own, 'value')
  return itemsAt(container, 'envFrom')
    .map((source) => cluster.find('ConfigMap', textAt(source, 'configMapRef.name')))
    .map((config) => textAt(config?.value, `data.${name}`))
    .find((value) => value !== undefined)
}
