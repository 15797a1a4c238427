import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { isAbsolute, resolve, sep } from 'node:path'
import { messageOf, type StopOptions, untilDeadline } from '../../core/index.ts'
import { deliveryFailed } from '../channels.ts'
import { httpProtocols, type PluginSchema } from '../config/schema.ts'
import { LOG_ENTRIES_WAITING_MAX } from '../limits.ts'
import { customFields } from './http-log.ts'
import { logEntryOf } from './log-entry.ts'
import type { PluginDefinition } from './plugin.ts'

/**
 * Appends a line of JSON for each request to a file. `reopen` opens it for every writing, for whoever rotates it by
 * renaming. Source: Kong 3.9, `kong/plugins/file-log`.
 *
 * Whoever may use the Admin API could otherwise write anywhere that this process can: paths are only taken below
 * `folder`, none without one.
 */
export function createFileLog(folder: string | undefined): PluginDefinition {
  return {
    name: 'file-log',
    version: '3.9.1',
    priority: 9,
    schema: schemaFor(folder),
    create(raw, scope) {
      const { path, reopen } = raw as Config
      const file = scope.keep(() => new LogFile())
      file.configure({ path, reopen })
      return {
        tellsAttempts: true,
        log: (exchange, outcome) => file.add(`${JSON.stringify(logEntryOf(exchange, outcome))}\n`),
      }
    },
  }
}

type Config = { readonly path: string; readonly reopen: boolean }

function schemaFor(folder: string | undefined): PluginSchema {
  return {
    name: 'file-log',
    fields: [
      { protocols: httpProtocols },
      {
        config: {
          type: 'record',
          required: true,
          fields: [
            {
              path: {
                type: 'string',
                required: true,
                custom_validator: (path: string) => pathError(path, folder),
                description: 'The file that is appended to.',
              },
            },
            { reopen: { type: 'boolean', required: true, default: false, description: 'Opens it for each writing.' } },
            { custom_fields_by_lua: customFields },
          ],
        },
      },
    ],
  }
}

function pathError(path: string, folder: string | undefined): string | undefined {
  if (folder === undefined) return 'not available: set GATEWAY_LOG_DIR to the folder that logs may be written to'
  const isBelow = isAbsolute(path) && resolve(path).startsWith(resolve(folder).replace(/\/$/, '') + sep)
  return isBelow && !path.endsWith(sep) ? undefined : `must be a file below ${folder}`
}

/** Owner writes, group reads: entries have the addresses and headers of clients. */
const FILE_MODE = 0o640
/** A link in the folder must not lead out of it. */
const APPEND = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW

/** Lines on their way to a file, as many in one writing as wait. A disk that cannot keep up makes them drop. */
class LogFile {
  #config: Config | undefined
  #lines: string[] = []
  #writing: Promise<void> | undefined
  #open: { readonly path: string; readonly handle: FileHandle } | undefined

  configure(config: Config): void {
    this.#config = config
  }

  add(line: string): void {
    if (this.#lines.length < LOG_ENTRIES_WAITING_MAX) this.#lines.push(line)
    else this.#drop(1, 'the disk is too slow')
    this.#writing ??= this.#write()
  }

  async stop(options: StopOptions): Promise<void> {
    if (this.#writing !== undefined) await untilDeadline(this.#writing, options)
    await this.#close()
  }

  /** Never rejects. */
  async #write(): Promise<void> {
    while (this.#lines.length > 0) {
      const lines = this.#lines.splice(0)
      try {
        const handle = await this.#handle()
        await handle.appendFile(lines.join(''))
        if (this.#config?.reopen) await this.#close()
      } catch (error) {
        this.#drop(lines.length, messageOf(error))
      }
    }
    this.#writing = undefined
  }

  async #handle(): Promise<FileHandle> {
    const path = this.#config?.path ?? ''
    if (this.#open?.path === path) return this.#open.handle
    await this.#close()
    this.#open = { path, handle: await open(path, APPEND, FILE_MODE) }
    return this.#open.handle
  }

  async #close(): Promise<void> {
    const handle = this.#open?.handle
    this.#open = undefined
    await handle?.close()
  }

  #drop(entries: number, reason: string): void {
    deliveryFailed.publish({ name: `file-log to ${this.#config?.path}`, entries, reason })
  }
}
