import type { Manifest } from './manifest.ts'

/** A validator as kubernetes-models has one for each kind, made from Kubernetes' own API schemas. */
type Validator = ((value: unknown) => boolean) & {
  readonly errors?:
    | readonly { readonly instancePath: string; readonly keyword: string; readonly params: object }[]
    | null
}

/** The schema of each kind that we render. */
const SCHEMAS: Readonly<Record<string, () => Promise<{ readonly validate: unknown }>>> = {
  'apps/v1 Deployment': () => import('kubernetes-models/_schemas/IoK8sApiAppsV1Deployment'),
  'autoscaling/v2 HorizontalPodAutoscaler': () =>
    import('kubernetes-models/_schemas/IoK8sApiAutoscalingV2HorizontalPodAutoscaler'),
  'networking.k8s.io/v1 NetworkPolicy': () => import('kubernetes-models/_schemas/IoK8sApiNetworkingV1NetworkPolicy'),
  'policy/v1 PodDisruptionBudget': () => import('kubernetes-models/_schemas/IoK8sApiPolicyV1PodDisruptionBudget'),
  'v1 ConfigMap': () => import('kubernetes-models/_schemas/IoK8sApiCoreV1ConfigMap'),
  'v1 Namespace': () => import('kubernetes-models/_schemas/IoK8sApiCoreV1Namespace'),
  'v1 Service': () => import('kubernetes-models/_schemas/IoK8sApiCoreV1Service'),
  'v1 ServiceAccount': () => import('kubernetes-models/_schemas/IoK8sApiCoreV1ServiceAccount'),
}

/**
 * What a manifest has against its schema, unknown fields included. The validators let those pass, as the API does; but
 * they read every field that the schema knows, so that a field nobody read is one the schema does not know.
 */
export async function schemaProblems(manifest: Manifest): Promise<readonly string[]> {
  const kind = `${manifest.apiVersion} ${manifest.kind}`
  const schema = SCHEMAS[kind]
  if (schema === undefined) return [`${kind} has no schema here`]
  const validate = (await schema()).validate as Validator
  const readings: Reading[] = []
  validate(watched(manifest, '', readings))
  const wrong = (validate.errors ?? []).map(
    (error) => `${error.instancePath} ${error.keyword} ${JSON.stringify(error.params)}`,
  )
  return [...wrong, ...readings.flatMap(unread)]
}

type Reading = { readonly path: string; readonly value: object; readonly read: Set<string> }

function watched(value: unknown, path: string, readings: Reading[]): unknown {
  if (typeof value !== 'object' || value === null) return value
  const read = new Set<string>()
  readings.push({ path, value, read })
  return new Proxy(value, {
    get(target, key) {
      if (typeof key !== 'string') return Reflect.get(target, key)
      read.add(key)
      return watched(Reflect.get(target, key), `${path}/${key}`, readings)
    },
    // A map of names of the user's own is read by going through it.
    ownKeys(target) {
      for (const key of Object.keys(target)) read.add(key)
      return Reflect.ownKeys(target)
    },
  })
}

/** An object may be read several times: what any reading knew is known. */
function unread({ path, value, read }: Reading, _index: number, readings: readonly Reading[]): string[] {
  const known = new Set(readings.filter((other) => other.value === value).flatMap((other) => [...other.read]))
  return read.size === 0
    ? []
    : Object.keys(value)
        .filter((key) => !known.has(key))
        .map((key) => `${path}/${key} is no field`)
}
