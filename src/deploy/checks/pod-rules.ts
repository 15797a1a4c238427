import { STOP_GRACE_MS } from '../../core/index.ts'
import { type Cluster, containersOf, hasPort, podLabels, podSpec, variableOf } from './cluster.ts'
import { at, isWithin, itemsAt, type Json, numberAt, objectAt, quantity, textAt, textsAt } from './json.ts'
import type { Verdict } from './rule.ts'

/** Seconds that must remain between the end of the drain and the kill. */
const MARGIN_SECONDS = 5

type DeploymentRule = (deployment: Json, cluster: Cluster) => Verdict

/** Rules about a Deployment and the pods it makes, by name. */
export const DEPLOYMENT_RULES: Readonly<Record<string, DeploymentRule>> = {
  'selector matches its pods': (deployment) =>
    !isWithin(objectAt(deployment, 'spec.selector.matchLabels'), podLabels(deployment)) &&
    'spec.selector is not within the labels of the template: the API refuses it',

  'rollout keeps its capacity': (deployment) => {
    const rolling = objectAt(deployment, 'spec.strategy.rollingUpdate')
    const isSafe = textAt(deployment, 'spec.strategy.type') === 'RollingUpdate' && isNothing(rolling.maxUnavailable)
    return (
      (!isSafe || isNothing(rolling.maxSurge)) && 'use a RollingUpdate with maxUnavailable 0 and a maxSurge above it'
    )
  },

  'grace period covers the stop': (deployment, cluster) => {
    const pod = podSpec(deployment)
    const grace = numberAt(pod, 'terminationGracePeriodSeconds') ?? 30
    const delays = containersOf(deployment).map((container) => {
      const delayMs = Number(variableOf(container, 'STOP_DELAY_MS', cluster) ?? 0)
      return (numberAt(container, 'lifecycle.preStop.sleep.seconds') ?? 0) + delayMs / 1_000
    })
    const needed = Math.max(0, ...delays) + STOP_GRACE_MS / 1_000 + MARGIN_SECONDS
    return grace < needed && `terminationGracePeriodSeconds is ${grace}: preStop, drain and margin take ${needed}`
  },

  'pods that are reached wait before they stop': (deployment, cluster) => {
    const isReached = cluster
      .ofKind('Service')
      .some(({ value }) => isWithin(objectAt(value, 'spec.selector'), podLabels(deployment)))
    const waits = containersOf(deployment).some(
      (container) => (numberAt(container, 'lifecycle.preStop.sleep.seconds') ?? 0) > 0,
    )
    return isReached && !waits && 'without a preStop sleep new connections arrive at a pod that has stopped listening'
  },

  'runs as somebody else than root': (deployment) => {
    const security = objectAt(podSpec(deployment), 'securityContext')
    const isSafe = security.runAsNonRoot === true && (numberAt(security, 'runAsUser') ?? 0) > 0
    return !isSafe && 'set runAsNonRoot and a runAsUser above 0'
  },

  'system calls are filtered': (deployment) =>
    textAt(podSpec(deployment), 'securityContext.seccompProfile.type') !== 'RuntimeDefault' &&
    'set seccompProfile RuntimeDefault',

  'no token of the API in its pods': (deployment) =>
    podSpec(deployment).automountServiceAccountToken !== false && 'set automountServiceAccountToken: false',

  'no variables of other Services': (deployment) =>
    podSpec(deployment).enableServiceLinks !== false &&
    'set enableServiceLinks: false: a Service "gateway" would set GATEWAY_PORT to a URL',

  'service account exists': (deployment, cluster) => {
    const name = textAt(podSpec(deployment), 'serviceAccountName')
    return (
      name !== undefined && cluster.find('ServiceAccount', name) === undefined && `there is no ServiceAccount ${name}`
    )
  },

  'scraped port exists': (deployment) => {
    const annotations = objectAt(deployment, 'spec.template.metadata.annotations')
    const port = Number(annotations['prometheus.io/port'])
    const isOpen = containersOf(deployment).some((container) => hasPort(container, port))
    return annotations['prometheus.io/scrape'] === 'true' && !isOpen && `no container has port ${port}`
  },

  'spreads over what fails together': (deployment) =>
    (numberAt(deployment, 'spec.replicas') ?? 1) > 1 &&
    itemsAt(podSpec(deployment), 'topologySpreadConstraints').length === 0 &&
    'without topologySpreadConstraints all replicas may be on one node',
}

type ContainerRule = (container: Json, cluster: Cluster) => Verdict

/** Rules about one container, by name. */
export const CONTAINER_RULES: Readonly<Record<string, ContainerRule>> = {
  'image says which version': ({ image }) =>
    isFloating(image) && `image ${String(image)} may change under the same name`,

  'asks for what it needs': (container) => {
    const missing = ['requests.cpu', 'requests.memory', 'limits.memory'].filter(
      (path) => quantity(at(container, `resources.${path}`)) === undefined,
    )
    return missing.length > 0 && `resources lack ${missing.join(', ')}`
  },

  'asks for no more than it may have': (container) => {
    const above = ['cpu', 'memory'].filter((name) => {
      const limit = quantity(at(container, `resources.limits.${name}`)) ?? Number.POSITIVE_INFINITY
      return (quantity(at(container, `resources.requests.${name}`)) ?? 0) > limit
    })
    return above.length > 0 && `requests of ${above.join(', ')} are above the limits`
  },

  'heap fits its memory': (container, cluster) => {
    const [, mebibytes] = /--max-old-space-size=(\d+)/.exec(variableOf(container, 'NODE_OPTIONS', cluster) ?? '') ?? []
    const limit = quantity(at(container, 'resources.limits.memory')) ?? 0
    return Number(mebibytes) * 2 ** 20 > limit * 0.9 && `a heap of ${mebibytes} MiB leaves too little for the rest`
  },

  'has every probe': (container) => {
    const missing = PROBES.filter((probe) => at(container, probe) === undefined)
    return missing.length > 0 && `lacks ${missing.join(', ')}`
  },

  'probes ask a port that is there': (container) => {
    const astray = PROBES.filter((probe) => {
      const port = at(container, `${probe}.httpGet.port`)
      return port !== undefined && !hasPort(container, port)
    })
    return astray.length > 0 && `${astray.join(', ')} ask a port that the container does not have`
  },

  'restarts only what is dead': (container) => {
    const paths = ['livenessProbe', 'startupProbe'].map((probe) => textAt(container, `${probe}.httpGet.path`))
    return paths.includes('/readyz') && 'liveness must not depend on databases: a restart repairs none. Ask /livez'
  },

  'gets requests only when it is ready': (container) => {
    const path = textAt(container, 'readinessProbe.httpGet.path')
    return path !== undefined && path !== '/readyz' && `readiness asks ${path}, which does not say so. Ask /readyz`
  },

  'probes end before the next': (container) => {
    const slow = PROBES.filter((probe) => {
      const timeout = numberAt(container, `${probe}.timeoutSeconds`) ?? 1
      return at(container, probe) !== undefined && timeout >= (numberAt(container, `${probe}.periodSeconds`) ?? 10)
    })
    return slow.length > 0 && `${slow.join(', ')}: timeoutSeconds must be less than periodSeconds`
  },

  'listens where probes reach it': (container, cluster) => {
    const host = variableOf(container, 'HOST', cluster) ?? '127.0.0.1'
    return host !== '0.0.0.0' && host !== '::' && `HOST is ${host}, which probes and other pods do not reach`
  },

  'keeps its privileges down': ({ securityContext }) => {
    const isSafe =
      at(securityContext, 'allowPrivilegeEscalation') === false &&
      at(securityContext, 'readOnlyRootFilesystem') === true &&
      textsAt(securityContext, 'capabilities.drop').includes('ALL')
    return !isSafe && 'set allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities.drop: [ALL]'
  },

  'configuration exists': (container, cluster) => {
    const missing = itemsAt(container, 'envFrom')
      .map((source) => objectAt(source, 'configMapRef'))
      .filter(({ name, optional }) => typeof name === 'string' && optional !== true)
      .filter(({ name }) => cluster.find('ConfigMap', String(name)) === undefined)
    return missing.length > 0 && `there is no ConfigMap ${missing.map(({ name }) => name).join(', ')}`
  },

  'secrets are referred to': (container) => {
    const told = itemsAt(container, 'env').filter(({ name, value }) => isSecret(String(name), value))
    return told.length > 0 && `${told.map(({ name }) => name).join(', ')} must come from a Secret`
  },
}

const PROBES = ['startupProbe', 'livenessProbe', 'readinessProbe']

/** Whether a variable has a value that only some may know. */
export function isSecret(name: string, value: unknown): boolean {
  if (typeof value !== 'string' || value.includes('${')) return false
  return /(PASSWORD|SECRET|TOKEN|PRIVATE_KEY)$/.test(name) || /:\/\/[^/@\s]*:[^/@\s]+@/.test(value)
}

/** Whether an image's name may mean another image tomorrow. */
export function isFloating(image: unknown): boolean {
  const name = String(image).replace(/^\$\{\w+:-(.*)\}$/, '$1')
  return !/(@sha256:[0-9a-f]{64}|:[\w.-]+)$/.test(name) || name.endsWith(':latest')
}

function isNothing(value: unknown): boolean {
  return value === 0 || value === '0' || value === '0%'
}
