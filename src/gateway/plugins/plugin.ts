import type { Clock, Lifecycle, Random } from '../../core/index.ts'
import type { PluginEntity } from '../config/entities.ts'
import type { PluginDescription } from '../config/schema.ts'
import type { Exchange, Place } from '../exchange.ts'
import type { RequestOutcome } from '../finished.ts'
import type { Identities } from '../identities.ts'
import type { CachedResponses } from '../response-cache/response-store.ts'
import type { BodyFilter, ResponseHead } from '../response-head.ts'

/** A kind of plugin. */
export type PluginDefinition = PluginDescription & {
  /** Makes one configured plugin. `config` is complete, as its schema says. Throws when it cannot work. */
  readonly create: (config: Readonly<Record<string, unknown>>, scope: PluginScope) => PluginInstance
}

/** What a plugin keeps. */
export type PluginState = object & Partial<Pick<Lifecycle, 'stop'>>

/** What a plugin is given of the gateway. */
export type PluginScope = {
  readonly entity: PluginEntity
  readonly clock: Clock
  readonly random: Random
  /** Who may call, as of the request: look up each time, never keep. */
  readonly identities: () => Identities
  /**
   * State that lives as long as the plugin's id, through changes of its configuration: made on first use. One with a
   * `stop`, such as a queue, is stopped when the plugin is gone or the gateway closes.
   */
  readonly keep: <State extends PluginState>(create: () => State) => State
  /**
   * What several plugins use together, by a name that says all about it: made on first use, and kept for as long as a
   * configured plugin asks for it, then stopped like the other.
   */
  readonly share: <State extends PluginState>(name: string, create: () => State) => State
}

/**
 * One configured plugin at work. Methods that have nothing to wait for return nothing: a promise costs every request.
 */
export type PluginInstance = {
  /** Where it may send requests: what `exchange.target` has among its alternatives under this very object. */
  readonly alternative?: Place
  /** Before the request goes to its service, in order of priority. A call of `exchange.exit` ends the request here. */
  readonly access?: (exchange: Exchange) => undefined | Promise<void>
  /**
   * When the head of a response is there, of whoever answers: may change its status and headers, and answer what the
   * body then flows through. After `header`, in reverse order of priority: the service's side first. Must not throw.
   */
  readonly response?: (exchange: Exchange, head: ResponseHead) => BodyFilter | undefined
  /** Just before the head of the response is written, of whoever answers. Only sets reply headers; must not throw. */
  readonly header?: (exchange: Exchange) => void
  /** What it keeps of responses, for operators. */
  readonly responses?: CachedResponses
  /** Whether `log` tells of each attempt at a target, which are only kept for that. */
  readonly tellsAttempts?: boolean
  /** After the response is over, however it ended. Must not throw. */
  readonly log?: (exchange: Exchange, outcome: RequestOutcome) => void
}
