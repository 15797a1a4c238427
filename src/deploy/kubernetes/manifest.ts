import type { Workload } from '../workload.ts'

/** An object of Kubernetes as it is written down. Its fields are checked by the tests against the API's own schemas. */
export type Manifest = {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly [field: string]: unknown }
  readonly [field: string]: unknown
}

/** Labels that select the pods of a workload. They must never change, since a Deployment's selector cannot. */
export function selectorLabels(app: string, workload: Pick<Workload, 'name'>): Readonly<Record<string, string>> {
  return { 'app.kubernetes.io/name': workload.name, 'app.kubernetes.io/part-of': app }
}

export function labelsOf(app: string, workload: Workload): Readonly<Record<string, string>> {
  return { ...selectorLabels(app, workload), 'app.kubernetes.io/component': workload.component }
}

/** Of the application as a whole. */
export function appLabels(app: string): Readonly<Record<string, string>> {
  return { 'app.kubernetes.io/part-of': app }
}

export function metadataOf(app: string, workload: Workload): Manifest['metadata'] {
  return { name: workload.name, labels: labelsOf(app, workload) }
}

/** Names of the objects that all workloads share. */
export function objectNames(app: string) {
  return {
    namespace: app,
    serviceAccount: app,
    config: `${app}-config`,
    /** Key DATABASE_URLS. */
    databases: `${app}-databases`,
    /** Key CACHE_URL. */
    cache: `${app}-cache`,
    /** Key EVENTS_URL. */
    events: `${app}-events`,
    /** Whatever else the application's own `app.ts` reads. */
    settings: `${app}-settings`,
  }
}
