import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { app, type ConsumerDeclaration, endpoints, event } from '../../core/index.ts'
import type { RenderOptions } from '../options.ts'
import { render, type Target } from '../render.ts'
import type { RenderedFile } from '../rendered-file.ts'
import { checkFiles } from './check.ts'
import { OBJECT_RULES } from './cluster-rules.ts'
import { COMPOSE_RULES } from './compose-rules.ts'
import { IMAGE_RULES } from './image-rules.ts'
import { CONTAINER_RULES, DEPLOYMENT_RULES } from './pod-rules.ts'

const Placed = event('order.placed', 1, z.object({ id: z.int() }), { key: (order) => order.id })
const at = endpoints('order-service')
const none = { placement: 'sharded', routes: [], consumers: [], consoleRoutes: [], emits: [] } as const
const small = app('small', {
  services: [
    {
      ...none,
      name: 'order-service',
      routes: [{ endpoint: at.get('/orders', { replies: {} }), handler: async () => undefined }],
      emits: [Placed],
    },
    {
      ...none,
      name: 'email-service',
      consumers: [{ event: Placed, target: 'key', batch: false } as unknown as ConsumerDeclaration],
    },
  ],
})
const options: RenderOptions = {
  appPath: 'app.ts',
  image: 'small:1.0.0',
  build: {
    context: '..',
    dockerfile: 'out/Dockerfile',
    copies: ['bin'],
    drivers: [],
    entrypoint: 'bin/groundswell.js',
    nodeVersion: '24.0.0',
  },
  shards: 4,
  events: 'kafka',
  partitions: 12,
  variables: new Set(['CACHE_URL']),
  autoscaler: 'hpa',
  prometheusUrl: 'http://prometheus:9090',
}

/** One change by hand: in which file, what is replaced by what, and the rule that must refuse it. */
type Mutation = readonly [rule: string, file: string, from: string | RegExp, to: string]

const KUBERNETES: readonly Mutation[] = [
  ['name is a DNS label', 'order-service.yaml', /^ {2}name: order-service$/m, '  name: Order_Service'],
  [
    'declared once',
    'email-service.yaml',
    /^kind: Service\nmetadata:\n {2}name: email-service/m,
    'kind: Service\nmetadata:\n  name: order-service',
  ],
  ['holds no secret', 'shared.yaml', 'HOST: 0.0.0.0', 'HOST: 0.0.0.0\n  ADMIN_TOKEN: correct-horse-battery'],
  ['holds no secret', 'shared.yaml', 'kind: ConfigMap', 'kind: Secret'],
  [
    'service selects pods',
    'order-service.yaml',
    /(type: ClusterIP\n {2}selector:\n {4}app.kubernetes.io\/name: )order-service/,
    '$1orders',
  ],
  ['service port exists', 'order-service.yaml', 'targetPort: http', 'targetPort: web'],
  ['scaler has a target', 'order-service.yaml', /(kind: Deployment\n {4}name: )order-service/, '$1orders'],
  ['scaler is alone', 'email-service.yaml', /(kind: Deployment\n {4}name: )email-service/, '$1order-service'],
  ['scaler has room', 'order-service.yaml', 'maxReplicas: 12', 'maxReplicas: 2'],
  ['scaler has room', 'order-service.yaml', /^ {2}replicas: 3$/m, '  replicas: 40'],
  ['scaler can measure', 'order-service.yaml', 'container: app', 'container: main'],
  ['metric is known', 'order-service.yaml', 'nodejs_eventloop_utilization_ratio', 'requests_per_second'],
  ['budget lets a node be emptied', 'order-service.yaml', 'maxUnavailable: 1', 'minAvailable: 3'],
  ['policy lets in what must come', 'gateway.yaml', /port: proxy$/m, 'port: http'],
  ['policy lets names be resolved', 'order-service.yaml', '    - Ingress', '    - Ingress\n    - Egress'],
  ['kustomization names every file', 'kustomization.yaml', '  - email-service.yaml\n', ''],
  ['kustomization names every file', 'kustomization.yaml', 'email-service.yaml', 'mail-service.yaml'],
  [
    'selector matches its pods',
    'order-service.yaml',
    /(matchLabels:\n {6}app.kubernetes.io\/name: )order-service/,
    '$1orders',
  ],
  ['rollout keeps its capacity', 'order-service.yaml', 'maxUnavailable: 0', 'maxUnavailable: 1'],
  ['rollout keeps its capacity', 'order-service.yaml', 'type: RollingUpdate', 'type: Recreate'],
  [
    'grace period covers the stop',
    'order-service.yaml',
    'terminationGracePeriodSeconds: 45',
    'terminationGracePeriodSeconds: 30',
  ],
  ['pods that are reached wait before they stop', 'order-service.yaml', 'seconds: 10', 'seconds: 0'],
  ['runs as somebody else than root', 'order-service.yaml', 'runAsUser: 1000', 'runAsUser: 0'],
  ['system calls are filtered', 'order-service.yaml', 'type: RuntimeDefault', 'type: Unconfined'],
  [
    'no token of the API in its pods',
    'order-service.yaml',
    'automountServiceAccountToken: false',
    'automountServiceAccountToken: true',
  ],
  ['no variables of other Services', 'order-service.yaml', 'enableServiceLinks: false', 'enableServiceLinks: true'],
  ['service account exists', 'order-service.yaml', 'serviceAccountName: small', 'serviceAccountName: other'],
  ['scraped port exists', 'order-service.yaml', 'prometheus.io/port: "8080"', 'prometheus.io/port: "9090"'],
  ['spreads over what fails together', 'order-service.yaml', 'topologySpreadConstraints:', 'constraints:'],
  ['image says which version', 'order-service.yaml', 'image: small:1.0.0', 'image: small:latest'],
  ['image says which version', 'order-service.yaml', 'image: small:1.0.0', 'image: registry.example.com:5000/small'],
  ['asks for what it needs', 'order-service.yaml', /requests:\n {14}cpu: 100m/, 'requests:'],
  ['asks for no more than it may have', 'order-service.yaml', 'memory: 128Mi', 'memory: 1Gi'],
  ['heap fits its memory', 'order-service.yaml', '--max-old-space-size=384', '--max-old-space-size=512'],
  ['has every probe', 'order-service.yaml', 'readinessProbe:', 'readyProbe:'],
  ['probes ask a port that is there', 'order-service.yaml', /(path: \/readyz\n\s+port: )http/, '$18081'],
  ['restarts only what is dead', 'order-service.yaml', '/livez', '/readyz'],
  ['gets requests only when it is ready', 'order-service.yaml', '/readyz', '/livez'],
  ['probes end before the next', 'order-service.yaml', 'timeoutSeconds: 1', 'timeoutSeconds: 5'],
  ['listens where probes reach it', 'shared.yaml', 'HOST: 0.0.0.0', 'HOST: 127.0.0.1'],
  ['keeps its privileges down', 'order-service.yaml', 'readOnlyRootFilesystem: true', 'readOnlyRootFilesystem: false'],
  ['configuration exists', 'order-service.yaml', 'name: small-config', 'name: other-config'],
  ['secrets are referred to', 'order-service.yaml', /value: "16"/, 'value: postgres://me:secret@db/shard_0'],
  ['secrets are referred to', 'order-service.yaml', /value: "12"/, 'value: kafka+ssl://me:secret@kafka:9093'],
  ['is YAML', 'order-service.yaml', 'kind: Deployment', 'kind: Deployment\nkind: Deployment'],
]

const COMPOSE: readonly Mutation[] = [
  ['image says which version', 'compose.yaml', 'image: small:1.0.0', 'image: small'],
  ['ports are open on this machine only', 'compose.yaml', '127.0.0.1:5432:5432', '5432:5432'],
  ['says whether it is healthy', 'compose.yaml', 'healthcheck:', 'health:'],
  ['waits for what there is', 'compose.yaml', /depends_on:\n {6}postgres:/, 'depends_on:\n      mysql:'],
  [
    'waits for what starts without a profile',
    'compose.yaml',
    /^ {2}kafka:$/m,
    '  kafka:\n    profiles:\n      - kafka',
  ],
  ['volumes are declared', 'compose.yaml', './prometheus.yml:', './metrics.yml:'],
  ['volumes are declared', 'compose.yaml', /^ {2}kafka: \{\}\n/m, ''],
  ['secrets are referred to', 'compose.yaml', /ADMIN_TOKEN: .*/, 'ADMIN_TOKEN: correct-horse-battery'],
  ['has time to stop', 'compose.yaml', 'stop_grace_period: 30s', 'stop_grace_period: 10s'],
  ['keeps its privileges down', 'compose.yaml', 'read_only: true', 'read_only: false'],
  ['reaches databases that are there', 'compose.yaml', '@postgres:', '@database:'],
  ['reaches a broker that is there', 'compose.yaml', 'kafka://kafka:9092', 'kafka://broker:9092'],
  ['scrapes what there is', 'prometheus.yml', 'order-service:8080', 'orders:8080'],
  ['base says which version', 'Dockerfile', 'node:24.0.0-bookworm-slim', 'node:latest'],
  ['installs apart from what runs', 'Dockerfile', /^FROM \$NODE_IMAGE$/m, ''],
  ['runs as a numbered user', 'Dockerfile', 'USER 1000:1000', 'USER node'],
  [
    'gets signals itself',
    'Dockerfile',
    'ENTRYPOINT ["node", "bin/groundswell.js"]',
    'ENTRYPOINT node bin/groundswell.js',
  ],
  ['installs what the lock file says', 'Dockerfile', 'npm ci', 'npm install'],
  ['copies rather than adds', 'Dockerfile', 'COPY bin', 'ADD bin'],
  ['holds no secret', 'Dockerfile', 'ENV NODE_ENV=production', 'ENV ADMIN_TOKEN=correct-horse-battery'],
]

for (const [target, mutations] of [['kubernetes', KUBERNETES] as const, ['compose', COMPOSE] as const]) {
  test(`${target}: what was rendered passes every rule`, () => {
    assert.deepEqual(checkFiles(render(small, target, options)), [])
  })
  for (const mutation of mutations) {
    const [rule, file, , to] = mutation
    test(`${target}: ${rule}: refused in ${file}: ${to.trim().split('\n').at(-1)?.trim()}`, () => {
      assert.ok(rulesBroken(target, mutation).includes(rule))
    })
  }
}

test('every rule has a change that it refuses', () => {
  const rules = [OBJECT_RULES, DEPLOYMENT_RULES, CONTAINER_RULES, COMPOSE_RULES, IMAGE_RULES].flatMap(Object.keys)
  const tried = new Set([...KUBERNETES, ...COMPOSE].map(([rule]) => rule))
  assert.deepEqual(
    rules.filter((rule) => !tried.has(rule)),
    [],
  )
})

function rulesBroken(target: Target, [, file, from, to]: Mutation): readonly string[] {
  let changes = 0
  const files = render(small, target, options).map((rendered): RenderedFile => {
    if (rendered.path !== file) return rendered
    const text = rendered.text.replace(from, to)
    changes += text === rendered.text ? 0 : 1
    return { ...rendered, text }
  })
  assert.equal(changes, 1, `${file} has nothing to change`)
  return checkFiles(files).map(({ rule }) => rule)
}
