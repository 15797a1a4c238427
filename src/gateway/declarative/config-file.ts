import { type FSWatcher, watch } from 'node:fs'
import { dirname } from 'node:path'
import { delay, type Lifecycle, messageOf } from '../../core/index.ts'
import { configFileLoaded, configFileRefused } from '../config/channels.ts'
import { CONFIG_FILE_POLL_MS, CONFIG_FILE_SETTLE_MS } from '../config/limits.ts'
import { gatewayError } from '../errors.ts'
import { readConfigText } from './config-text.ts'
import { type DeclarativeStore, hashOf } from './declarative-store.ts'

export type ConfigFileOptions = { readonly path: string; readonly store: Pick<DeclarativeStore, 'load'> }

/**
 * Keeps a store on what a file says. `start` throws GATEWAY_CONFIG_INVALID when the file cannot be used; later changes
 * that cannot are published as facts, once each, and what was in force stays.
 */
export function followConfigFile(options: ConfigFileOptions): Lifecycle {
  return new FollowedFile(options)
}

/**
 * The folder is watched, not the file: editors and Kubernetes replace a file by another of its name. Some file systems
 * tell nobody, so the file is read every second as well, and only another content counts as a change.
 */
class FollowedFile implements Lifecycle {
  readonly #path: string
  readonly #store: ConfigFileOptions['store']
  #state: 'idle' | 'running' | 'stopped' = 'idle'
  #seen = ''
  #complaint = ''
  #watcher: FSWatcher | undefined
  #poll: NodeJS.Timeout | undefined
  #checking: Promise<void> | undefined

  constructor({ path, store }: ConfigFileOptions) {
    this.#path = path
    this.#store = store
  }

  async start(): Promise<void> {
    if (this.#state === 'running') return
    try {
      this.#load(await readConfigText(this.#path))
    } catch (cause) {
      throw gatewayError('GATEWAY_CONFIG_INVALID', `${this.#path} cannot be used: ${messageOf(cause)}`, { cause })
    }
    this.#state = 'running'
    this.#poll = setInterval(() => this.#checkSoon(), CONFIG_FILE_POLL_MS)
    this.#watcher = watch(dirname(this.#path), () => this.#checkSoon())
    // A folder that is taken away ends the watch; the polls go on and say what is wrong.
    this.#watcher.on('error', () => this.#watcher?.close())
  }

  async stop(): Promise<void> {
    this.#state = 'stopped'
    clearInterval(this.#poll)
    this.#watcher?.close()
    await this.#checking
  }

  /** One check at a time; a change during it is seen by the next poll at the latest. */
  #checkSoon(): void {
    this.#checking ??= this.#check().finally(() => {
      this.#checking = undefined
    })
  }

  async #check(): Promise<void> {
    try {
      const text = await this.#settledText()
      if (text !== undefined && this.#state === 'running') this.#load(text)
      this.#complaint = ''
    } catch (error) {
      const complaint = messageOf(error)
      if (complaint !== this.#complaint) configFileRefused.publish({ path: this.#path, error })
      this.#complaint = complaint
    }
  }

  /** The file's text when it is another and stays: one that is being written may be well-formed, and half of it. */
  async #settledText(): Promise<string | undefined> {
    const text = await readConfigText(this.#path)
    if (hashOf(text) === this.#seen) return undefined
    await delay(CONFIG_FILE_SETTLE_MS)
    const again = await readConfigText(this.#path)
    return again === text ? text : undefined
  }

  #load(text: string): void {
    this.#seen = hashOf(text)
    const { entities, notices } = this.#store.load(text)
    const count = [...entities.values()].reduce((sum, list) => sum + list.length, 0)
    configFileLoaded.publish({ path: this.#path, entities: count, notices })
  }
}
