import type { GatewayPluginDeclaration } from '../../core/index.ts'
import { requestFailed } from '../channels.ts'
import { httpProtocols, type NamedField, noConsumer, type PluginSchema } from '../config/schema.ts'
import { schemaProblems } from '../config/schema-problems.ts'
import { gatewayError } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import type { RequestOutcome } from '../finished.ts'
import type { BodyFilter, ResponseHead } from '../response-head.ts'
import type { PluginDefinition, PluginInstance, PluginScope } from './plugin.ts'

/** What a plugin of an application sees of a request on its way through the gateway. */
export type PluginExchange = Pick<
  Exchange,
  | 'requestId'
  | 'request'
  | 'headers'
  | 'path'
  | 'query'
  | 'clientIp'
  | 'secure'
  | 'consumer'
  | 'credential'
  | 'authenticate'
  | 'upstreamPath'
  | 'readBody'
  | 'replaceBody'
  | 'exit'
  | 'answer'
  | 'respond'
  | 'exited'
  | 'setReplyHeader'
  | 'addReplyHeader'
  | 'removeReplyHeader'
>

/**
 * A plugin that an application brings along. `Config` is what its fields describe, complete and valid; `Own` is what
 * one configured plugin works with.
 */
export type OwnPlugin<Config, Own> = {
  /** As operators write it: kebab-case. */
  readonly name: string
  /** What `/` shows. Default `1.0.0`. */
  readonly version?: string
  /** Higher runs first; `GET /` of the Admin API shows those of the others. */
  readonly priority: number
  /** The fields of `config`, in the language of Kong's schemas. Default: none. */
  readonly config?: readonly NamedField[]
  /** It finds out who calls, so it cannot be configured for one consumer. Default false. */
  readonly authenticates?: boolean
  /**
   * Makes what one configured plugin works with; called when it is configured, and again when that changes. Throws when
   * it cannot work: requests are then refused.
   */
  readonly prepare: (config: Config, scope: PluginScope) => Own
  readonly phases: OwnPhases<Own>
}

/** At least one. A phase that has nothing to wait for answers nothing: a promise costs every request. */
export type OwnPhases<Own> = {
  /** Before the request goes to its service. What it throws becomes a 500. */
  readonly access?: (exchange: PluginExchange, own: Own) => undefined | Promise<void>
  /** When the head of a response is there: may change it, and answer what the body flows through. */
  readonly response?: (exchange: PluginExchange, head: ResponseHead, own: Own) => BodyFilter | undefined
  /** Just before the head is written: sets reply headers. */
  readonly header?: (exchange: PluginExchange, own: Own) => void
  /** After the response is over, however it ended. */
  readonly log?: (exchange: PluginExchange, outcome: RequestOutcome, own: Own) => void
}

type AnyPlugin = OwnPlugin<never, unknown>

/** The plugins that were declared here, and with what. */
const declarations = new WeakMap<GatewayPluginDeclaration, AnyPlugin>()

/**
 * Declares a plugin for the gateway of an application, which names it in `app.ts`. What is wrong with it is said when a
 * gateway starts, all at once.
 */
export function gatewayPlugin<Config, Own>(plugin: OwnPlugin<Config, Own>): GatewayPluginDeclaration {
  const declaration = { name: plugin.name }
  declarations.set(declaration, plugin as AnyPlugin)
  return declaration
}

/** The installed plugins and the application's own. Throws GATEWAY_PLUGIN_INVALID with all that is wrong. */
export function withOwnPlugins(
  installed: readonly PluginDefinition[],
  declared: readonly GatewayPluginDeclaration[],
): readonly PluginDefinition[] {
  const names = new Set(installed.map(({ name }) => name))
  const problems: string[] = []
  const own: PluginDefinition[] = []
  for (const declaration of declared) {
    const plugin = declarations.get(declaration)
    if (plugin === undefined) {
      problems.push(`"${declaration.name}" was not made by gatewayPlugin()`)
      continue
    }
    if (names.has(plugin.name)) problems.push(`${plugin.name}: another plugin has this name already`)
    names.add(plugin.name)
    problems.push(...problemsOf(plugin))
    own.push(definitionOf(plugin))
  }
  if (problems.length === 0) return [...installed, ...own]
  const list = problems.map((problem) => `\n- ${problem}`).join('')
  throw gatewayError('GATEWAY_PLUGIN_INVALID', `plugins of the application cannot be used:${list}`)
}

const NAME = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/
const VERSION = /^\d+\.\d+\.\d+$/
const PHASES: readonly string[] = ['access', 'response', 'header', 'log'] satisfies (keyof OwnPhases<unknown>)[]

function problemsOf({ name, version = DEFAULT_VERSION, priority, config = [], phases, prepare }: AnyPlugin): string[] {
  const problems: string[] = []
  if (!NAME.test(name)) problems.push('its name must be kebab-case, like "tenant-header"')
  if (!VERSION.test(version)) problems.push(`version "${version}" must be like "1.0.0"`)
  if (!Number.isFinite(priority)) problems.push(`priority ${priority} must be a number`)
  if (typeof prepare !== 'function') problems.push('prepare must be a function')
  problems.push(...schemaProblems(config, 'config'), ...phaseProblems(phases))
  return problems.map((problem) => `${name}: ${problem}`)
}

function phaseProblems(phases: Readonly<Record<string, unknown>> | undefined): string[] {
  const entries = Object.entries(phases ?? {}).filter(([, run]) => run !== undefined)
  if (entries.length === 0) return [`it has no phase: give it at least one of ${PHASES.join(', ')}`]
  return entries.flatMap(([phase, run]) => {
    if (!PHASES.includes(phase)) return [`there is no phase "${phase}": phases are ${PHASES.join(', ')}`]
    return typeof run === 'function' ? [] : [`phase ${phase} must be a function`]
  })
}

const DEFAULT_VERSION = '1.0.0'

function definitionOf(plugin: AnyPlugin): PluginDefinition {
  const { name, version = DEFAULT_VERSION, priority, config = [], authenticates, phases, prepare } = plugin
  const schema: PluginSchema = {
    name,
    fields: [
      { protocols: httpProtocols },
      ...(authenticates ? [{ consumer: noConsumer }] : []),
      { config: { type: 'record', required: true, fields: config } },
    ],
  }
  const create = (values: unknown, scope: PluginScope) => instanceOf(phases, prepare(values as never, scope))
  return { name, version, priority, schema, create }
}

/**
 * Binds the phases to what one plugin works with. The gateway's own plugins do not throw where a request cannot be
 * refused any more; one of an application may, and then must neither end the process nor let an answer out that it
 * was meant to change.
 */
function instanceOf({ access, response, header, log }: OwnPhases<unknown>, own: unknown): PluginInstance {
  return {
    ...(access && { access: (exchange: Exchange) => access(exchange, own) }),
    ...(response && {
      response: (exchange: Exchange, head: ResponseHead) =>
        guarded(exchange, cutOff, () => response(exchange, head, own)),
    }),
    ...(header && { header: (exchange: Exchange) => guarded(exchange, cutOff, () => header(exchange, own)) }),
    ...(log && {
      log: (exchange: Exchange, outcome: RequestOutcome) =>
        guarded(exchange, leaveAlone, () => log(exchange, outcome, own)),
    }),
  }
}

const cutOff = (exchange: Exchange) => void exchange.response.destroy()
const leaveAlone = () => {}

function guarded<T>(exchange: Exchange, onFailure: (exchange: Exchange) => void, run: () => T): T | undefined {
  const failed = (error: unknown) => {
    requestFailed.publish({ requestId: exchange.requestId, traceparent: exchange.traceparent, error })
    onFailure(exchange)
  }
  try {
    const result = run()
    if (!(result instanceof Promise)) return result
    // What is declared to answer nothing may still be an async function.
    result.catch(failed)
    return undefined
  } catch (error) {
    failed(error)
    return undefined
  }
}
