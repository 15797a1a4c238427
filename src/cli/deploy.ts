import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import type { App } from '../core/index.ts'
import {
  type BuildOptions,
  type EventsEngine,
  isUntouched,
  type RenderedFile,
  type RenderOptions,
  render,
  type Target,
} from '../deploy/index.ts'
import { describeOptions, loadApp } from '../runtime/index.ts'
import { cliError } from './errors.ts'
import { note, print, printJson } from './output.ts'
import { atPath } from './path.ts'

export type DeployArguments = {
  readonly out: string
  readonly image?: string
  readonly shards: number
  readonly events: EventsEngine
  readonly partitions: number
  readonly autoscaler: 'hpa' | 'keda'
  readonly prometheusUrl: string
  readonly force?: boolean
  readonly json?: boolean
}

type Package = {
  readonly name?: string
  readonly version?: string
  readonly devDependencies?: Readonly<Record<string, string>>
}

/** `groundswell deploy kubernetes|compose`: writes what runs the application as a fleet. */
export async function deploy(target: Target, path: string, options: DeployArguments): Promise<number> {
  const app = await loadApp(path)
  const files = render(app, target, await renderOptions(app, path, options))
  const out = resolve(options.out)
  await atPath(out, '--out', async () => {
    if (options.force !== true) await assertOurs(out, files)
    for (const { path: name, text } of files) {
      const file = join(out, name)
      await mkdir(dirname(file), { recursive: true })
      await writeFile(file, text)
    }
  })
  if (options.json) printJson({ target, out, files: files.map((file) => file.path) })
  else {
    for (const file of files) print(join(options.out, file.path))
    note(`${files.length} files; ${join(options.out, 'README.md')} says how to go on.`)
  }
  return 0
}

async function renderOptions(app: App, path: string, options: DeployArguments): Promise<RenderOptions> {
  const project = await readPackage('package.json')
  const appPath = inProject(path)
  return {
    appPath,
    image: options.image ?? `${app.name}:${project.version ?? '0.0.0'}`,
    build: await buildOptions(project, appPath, options.out),
    shards: options.shards,
    events: options.events,
    partitions: options.partitions,
    variables: new Set(describeOptions().map(({ name }) => name)),
    autoscaler: options.autoscaler,
    prometheusUrl: options.prometheusUrl,
  }
}

/**
 * What goes into the image: in this repository the platform's own source and the application's folder; in a project of
 * its own, the application's folder beside the installed package.
 */
async function buildOptions(project: Package, appPath: string, out: string): Promise<BuildOptions> {
  const own = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8')) as Package & {
    readonly peerDependencies: Readonly<Record<string, string>>
  }
  const isRepository = project.name === own.name
  const folder = dirname(appPath)
  const context = relative(resolve(out), process.cwd()) || '.'
  return {
    context: slashed(context),
    dockerfile: slashed(join(relative(process.cwd(), resolve(out)), 'Dockerfile')),
    copies: isRepository ? ['bin', 'src', ...(await builtConsole()), folder] : [folder],
    drivers: Object.entries(own.peerDependencies).map(
      ([name, range]) => `${name}@${own.devDependencies?.[name] ?? range}`,
    ),
    entrypoint: isRepository ? 'bin/groundswell.js' : 'node_modules/groundswell/bin/groundswell.js',
    nodeVersion: own.devDependencies?.node ?? process.versions.node,
  }
}

/** The web console's files, where they have been built. */
async function builtConsole(): Promise<readonly string[]> {
  const index = await readIfPresent(join('console', 'dist', 'index.html'))
  return index === undefined ? [] : ['console/dist']
}

async function readPackage(path: string): Promise<Package> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Package
  } catch (error) {
    throw cliError('CLI_PROJECT_MISSING', `${resolve(path)} cannot be read: run this where package.json is`, {
      cause: error,
    })
  }
}

/** The application's file relative to the project, which the image is built from. */
function inProject(path: string): string {
  const found = relative(process.cwd(), resolve(path))
  if (!isAbsolute(found) && !found.startsWith(`..${sep}`)) return slashed(found)
  throw cliError('CLI_PROJECT_MISSING', `${path} is outside of ${process.cwd()}: the image would not have it`)
}

function slashed(path: string): string {
  return path.replaceAll(sep, '/')
}

/** Nothing that somebody wrote or changed is overwritten, and then nothing at all is. */
async function assertOurs(out: string, files: readonly RenderedFile[]): Promise<void> {
  const found = await Promise.all(files.map(async ({ path }) => ({ path, text: await readIfPresent(join(out, path)) })))
  const others = found.filter(({ text }) => text !== undefined && !isUntouched(text)).map(({ path }) => path)
  if (others.length === 0) return
  throw cliError(
    'CLI_FILES_PRESENT',
    `${out} has ${others.join(', ')}, written or changed by somebody else: choose another folder, or overwrite with --force`,
  )
}

async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
