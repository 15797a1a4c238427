import type { App } from '../../core/index.ts'
import { dockerfile, dockerignore } from '../image.ts'
import type { RenderOptions } from '../options.ts'
import { type RenderedFile, yamlFile } from '../rendered-file.ts'
import { type Workload, workloadsOf } from '../workload.ts'
import { adapterRules } from './adapter-rules.ts'
import { autoscaler } from './autoscaler.ts'
import { deployment } from './deployment.ts'
import { appLabels, type Manifest, objectNames } from './manifest.ts'
import { disruptionBudget, networkPolicy, networkService } from './network.ts'
import { readme } from './readme.ts'

/** A file for each workload, one for what they share, and a kustomization that `kubectl apply -k` reads. */
export function renderKubernetes(app: App, options: RenderOptions): readonly RenderedFile[] {
  const workloads = workloadsOf(app, options)
  const manifests = [
    yamlFile('shared.yaml', sharedManifests(app)),
    ...workloads.map((workload) => yamlFile(`${workload.name}.yaml`, manifestsOf(app.name, workload, options))),
  ]
  return [
    dockerfile(options.build),
    dockerignore(),
    readme({ app, workloads, options }),
    kustomization(app, manifests, options),
    ...(options.autoscaler === 'hpa' ? [adapterRules(workloads)] : []),
    ...manifests,
  ]
}

function manifestsOf(app: string, workload: Workload, options: RenderOptions): readonly Manifest[] {
  const scaler = autoscaler(app, workload, options)
  return [
    deployment(app, workload, options),
    ...(workload.isReached ? [networkService(app, workload)] : []),
    ...(scaler === undefined ? [] : [scaler]),
    ...(workload.scale.replicas > 1 ? [disruptionBudget(app, workload)] : []),
    networkPolicy(app, workload),
  ]
}

function sharedManifests(app: App): readonly Manifest[] {
  const { namespace, serviceAccount, config } = objectNames(app.name)
  const labels = appLabels(app.name)
  return [
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      // What is rendered here keeps the strictest of Kubernetes' standards; whatever comes beside it has to as well.
      metadata: { name: namespace, labels: { ...labels, 'pod-security.kubernetes.io/enforce': 'restricted' } },
    },
    {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: serviceAccount, labels },
      automountServiceAccountToken: false,
    },
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: config, labels },
      // Admin API and console stay on loopback, where `kubectl port-forward` reaches them and nobody else.
      data: { HOST: '0.0.0.0' },
    },
  ]
}

function kustomization(app: App, manifests: readonly RenderedFile[], { image }: RenderOptions): RenderedFile {
  const at = image.lastIndexOf(image.includes('@') ? '@' : ':')
  const [name, version] = [image.slice(0, at), image.slice(at + 1)]
  const value = {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    namespace: objectNames(app.name).namespace,
    resources: manifests.map(({ path }) => path),
    // A release is a change of this line: `kustomize edit set image`.
    images: [image.includes('@') ? { name, digest: version } : { name, newTag: version }],
  }
  return yamlFile('kustomization.yaml', [value])
}
