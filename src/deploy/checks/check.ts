import { parseAllDocuments } from 'yaml'
import type { RenderedFile } from '../rendered-file.ts'
import { type Cluster, type ClusterObject, clusterOf, containersOf } from './cluster.ts'
import { OBJECT_RULES } from './cluster-rules.ts'
import { COMPOSE_RULES, type Project, scrapeVerdict } from './compose-rules.ts'
import { IMAGE_RULES, instructionsOf } from './image-rules.ts'
import { isObject, type Json, objectAt, textAt } from './json.ts'
import { CONTAINER_RULES, DEPLOYMENT_RULES } from './pod-rules.ts'
import type { Finding, Verdict } from './rule.ts'

type Document = { readonly file: string; readonly value: Json }

/**
 * What in the files of one folder would be accepted and still go wrong: references that lead nowhere, stops that take
 * longer than they may, images that change. Schemas are for others to check, such as `kubectl apply --dry-run=server`.
 */
export function checkFiles(files: readonly RenderedFile[]): readonly Finding[] {
  const findings: Finding[] = []
  const documents = files.filter(({ path }) => /\.ya?ml$/.test(path)).flatMap((file) => documentsOf(file, findings))
  const names = files.map(({ path }) => path)
  const objects = documents.flatMap(objectOf)
  const compose = documents.find(({ value }) => isObject(value.services))
  return [
    ...findings,
    ...clusterFindings(clusterOf(objects, names)),
    ...(compose === undefined ? [] : composeFindings({ value: compose.value, files: names }, documents)),
    ...files.filter(({ path }) => path.endsWith('Dockerfile')).flatMap(imageFindings),
  ]
}

function documentsOf({ path, text }: RenderedFile, findings: Finding[]): Document[] {
  return parseAllDocuments(text, { uniqueKeys: true }).flatMap((document) => {
    for (const { message } of document.errors) {
      findings.push({ file: path, subject: path, rule: 'is YAML', message: message.split('\n')[0] ?? '' })
    }
    const value: unknown = document.errors.length > 0 ? undefined : document.toJS()
    return isObject(value) ? [{ file: path, value }] : []
  })
}

function objectOf({ file, value }: Document): readonly ClusterObject[] {
  const kind = textAt(value, 'kind')
  if (kind === undefined) return []
  return [
    { file, kind, name: textAt(value, 'metadata.name') ?? (kind === 'Kustomization' ? 'kustomization' : ''), value },
  ]
}

function clusterFindings(cluster: Cluster): readonly Finding[] {
  return cluster.objects.flatMap((object) => {
    const subject = `${object.kind} ${object.name}`
    const about = ([rule, verdict]: readonly [string, Verdict]) =>
      finding({ file: object.file, subject, rule }, verdict)
    const rules = Object.entries(OBJECT_RULES).filter(([, { kinds }]) => kinds?.includes(object.kind) ?? true)
    const own = rules.map(([rule, { check }]) => [rule, check(object, cluster)] as const)
    if (object.kind !== 'Deployment') return own.flatMap(about)
    const pod = Object.entries(DEPLOYMENT_RULES).map(([rule, check]) => [rule, check(object.value, cluster)] as const)
    const inner = containersOf(object.value).flatMap((container) =>
      Object.entries(CONTAINER_RULES).map(([rule, check]) => [rule, check(container, cluster)] as const),
    )
    return [...own, ...pod, ...inner].flatMap(about)
  })
}

function composeFindings(project: Project, documents: readonly Document[]): readonly Finding[] {
  const services = Object.entries(objectAt(project.value, 'services'))
  const findings = services.flatMap(([name, service]) =>
    Object.entries(COMPOSE_RULES).flatMap(([rule, check]) => {
      return finding({ file: 'compose.yaml', subject: name, rule }, check(isObject(service) ? service : {}, project))
    }),
  )
  const scraping = documents.find(({ value }) => Array.isArray(value.scrape_configs))
  const where = { file: scraping?.file ?? '', subject: 'scrape_configs', rule: 'scrapes what there is' }
  return [...findings, ...(scraping === undefined ? [] : finding(where, scrapeVerdict(scraping.value, project)))]
}

function imageFindings({ path, text }: RenderedFile): readonly Finding[] {
  const lines = instructionsOf(text)
  return Object.entries(IMAGE_RULES).flatMap(([rule, check]) =>
    finding({ file: path, subject: 'image', rule }, check(lines)),
  )
}

function finding(where: Omit<Finding, 'message'>, verdict: Verdict): Finding[] {
  return verdict === false || verdict === undefined ? [] : [{ ...where, message: verdict }]
}
