import type { IncomingMessage } from 'node:http'
import type { TelemetryView } from '../../telemetry/index.ts'
import { answerJson, type Exchange } from '../answer.ts'
import { consoleError } from '../errors.ts'
import { DEAD_LETTERS_DEFAULT, DEAD_LETTERS_MAX } from '../limits.ts'
import { wholeNumber } from '../query.ts'
import { isRecord } from '../values.ts'
import { assertOwnPage, readJsonBody } from '../writes.ts'
import { shownDeadLetter } from './dead-letter.ts'
import { readStates } from './event-states.ts'
import type { EventsPort } from './events-port.ts'

export type EventsParts = {
  /** Absent in a process without databases. */
  readonly events: EventsPort | undefined
  readonly view: TelemetryView
}

type EventsExchange = Exchange & { readonly path: string; readonly query: URLSearchParams }

/** Whether a path is one of the console's about events. */
export function isEventsPath(path: string): boolean {
  return path === '/api/events' || path.startsWith('/api/events/')
}

/** `/api/events`: consumer groups with what waits for them, dead letters, and what an operator does about them. */
export async function answerEvents({ events, view }: EventsParts, exchange: EventsExchange): Promise<void> {
  if (events === undefined) {
    throw consoleError('CONSOLE_EVENTS_NONE', 'no databases are open in this process, and so no event log')
  }
  const { path, query, request } = exchange
  const method = request.method === 'HEAD' ? 'GET' : request.method
  const act = actOf(path)
  if (act !== undefined && method === 'POST') {
    assertOwnPage(request)
    await answerJson(exchange, await perform(events, act, request))
  } else if (path === '/api/events' && method === 'GET') {
    await answerJson(exchange, await readStates(events))
  } else if (path === DEAD_LETTERS && method === 'GET') {
    const limit = wholeNumber('limit', query.get('limit'), DEAD_LETTERS_MAX) ?? DEAD_LETTERS_DEFAULT
    const group = query.get('group')
    const letters = await events.deadLetters({ limit, ...(group === null ? {} : { group }) })
    await answerJson(exchange, { deadLetters: letters.map((letter) => shownDeadLetter(letter, view)) })
  } else {
    throw noSuch(path, method)
  }
}

const DEAD_LETTERS = '/api/events/dead-letters'

type Act = { readonly group: string; readonly verb: 'redrive' | 'pause' | 'resume' }

function actOf(path: string): Act | undefined {
  const [, group, verb] = /^\/api\/events\/groups\/([^/]+)\/(redrive|pause|resume)$/.exec(path) ?? []
  return group === undefined ? undefined : { group: decodedGroup(group), verb: verb as Act['verb'] }
}

/** Half an escape names no group. */
function decodedGroup(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch (error) {
    if (error instanceof URIError) return text
    throw error
  }
}

async function perform(events: EventsPort, { group, verb }: Act, request: IncomingMessage): Promise<unknown> {
  const body = await readJsonBody(request)
  await assertGroupKnown(events, group)
  if (verb === 'redrive') return { redriven: await events.redrive({ group, ...idIn(body) }) }
  const paused = verb === 'pause'
  await events.pause({ group, paused })
  return { paused }
}

/** A misspelt name would look like no trouble. */
async function assertGroupKnown(events: EventsPort, group: string): Promise<void> {
  if ((await events.positions()).some((position) => position.group === group)) return
  throw consoleError('CONSOLE_GROUP_UNKNOWN', `there is no consumer group "${group}", or it has never run`)
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** The event to redrive, when it is not all of the group: something else there must not mean all. */
function idIn(body: unknown): { readonly id?: string } {
  const { id, ...others } = isRecord(body) ? body : { body }
  if (Object.keys(others).length > 0 || (id !== undefined && !(typeof id === 'string' && UUID.test(id)))) {
    throw consoleError('CONSOLE_BODY_INVALID', 'the body is neither {} nor {"id": "…"} with the id of an event')
  }
  return id === undefined ? {} : { id: id as string }
}

function noSuch(path: string, method: string | undefined): Error {
  const isRead = path === '/api/events' || path === DEAD_LETTERS
  const isAct = actOf(path) !== undefined
  if (!isRead && !isAct) return consoleError('CONSOLE_PATH_UNKNOWN', `there is no ${path}`)
  const details = { allow: isRead ? 'GET, HEAD' : 'POST' }
  return consoleError('CONSOLE_METHOD_NOT_ALLOWED', `${path} has no ${method}`, { details })
}
