import { parseAllDocuments } from 'yaml'
import type { RenderedFile } from '../../src/deploy/index.ts'

export type Manifest = {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string }
  readonly spec?: unknown
}

/** Every object of Kubernetes in rendered files. */
export function manifestsIn(files: readonly RenderedFile[]): readonly Manifest[] {
  return files
    .filter(({ path }) => path.endsWith('.yaml'))
    .flatMap(({ text }) => parseAllDocuments(text).map((document) => document.toJS() as Manifest))
    .filter((value) => value.kind !== undefined && value.kind !== 'Kustomization')
}

export type Container = Readonly<Record<string, unknown>> & { readonly env: readonly { readonly name: string }[] }

/** The containers of a Deployment's pods. */
export function containersOf(deployment: Manifest | undefined): readonly Container[] {
  const spec = deployment?.spec as { template?: { spec?: { containers?: readonly Container[] } } } | undefined
  return spec?.template?.spec?.containers ?? []
}
