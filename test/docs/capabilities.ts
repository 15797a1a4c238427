import { join } from 'node:path'
import type { LogCapabilities } from '../../src/events/index.ts'

/** The files that state them, and under which name. */
const ENGINES = [
  ['postgres-log.ts', 'POSTGRES'],
  ['kafka.ts', 'KAFKA'],
  ['rabbitmq.ts', 'RABBITMQ'],
] as const

/** What a capability says of an engine, a row each. */
const ROWS: readonly (readonly [string, (of: LogCapabilities) => string])[] = [
  ['so many processes can share the work of a group', (of) => `as there are ${of.sharedBy}s`],
  ['events stay for `EVENTS_RETENTION_MS`, read or not', ({ keepsRead }) => yesOrNo(keepsRead)],
  ['a service that is new begins with', (of) => (of.keepsRead ? 'the oldest that is kept' : 'what is yet to come')],
  ['a group that does not read holds up others', (of) => (of.isolatesGroups ? 'never' : 'once its queue is full')],
  ['other programs can read along', ({ isReadByOthers }) => (isReadByOthers ? 'CloudEvents' : 'no')],
  ['what a process took and then sits on is counted', (of) => (of.countsTaken ? 'by itself' : 'in the log')],
]

/** The engines of the event log side by side. */
export async function capabilitiesTable(root: string): Promise<string> {
  const engines = await Promise.all(
    ENGINES.map(([file, name]) => statedBy(join(root, 'src/events/engines', file), name)),
  )
  const head = ['', ...engines.map(({ name }) => name)]
  const rows = ROWS.map(([what, say]) => [what, ...engines.map(say)])
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

async function statedBy(path: string, name: string): Promise<LogCapabilities> {
  const module: Readonly<Record<string, LogCapabilities>> = await import(path)
  const stated = module[name]
  if (stated === undefined) throw new Error(`${path} exports no ${name}`)
  return stated
}

function yesOrNo(is: boolean): string {
  return is ? 'yes' : 'no'
}
