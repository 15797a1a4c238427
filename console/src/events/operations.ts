import type { EventStates, ShownDeadLetter } from '../../../src/console/index.ts'
import { postJson, readJson } from '../store/api.ts'
import { sharedState, useSharedState } from '../store/shared-state.ts'

/** The consumer groups and dead letters as the console's server tells them, read again while somebody looks. */
export type Events =
  | { readonly kind: 'loading' }
  | { readonly kind: 'ready'; readonly states: EventStates; readonly deadLetters: readonly ShownDeadLetter[] }
  | { readonly kind: 'failed'; readonly message: string }

const POLL_MS = 3_000

const events = sharedState<Events>({ kind: 'loading' }, { read: readEvents, intervalMs: POLL_MS })

export function useEvents(): Events {
  return useSharedState(events)
}

/** Gives dead letters of a group another series of attempts: all, or one. Resolves with what went wrong, or nothing. */
export function redrive(group: string, id?: string): Promise<string> {
  return act(async () => {
    const { redriven } = await postJson<{ redriven: number }>(
      `${pathOf(group)}/redrive`,
      id === undefined ? {} : { id },
    )
    return redriven === 0 ? 'It was no dead letter any more.' : ''
  })
}

/** Resolves with what went wrong, or nothing. */
export function pause(group: string, paused: boolean): Promise<string> {
  return act(async () => {
    await postJson(`${pathOf(group)}/${paused ? 'pause' : 'resume'}`, {})
    return ''
  })
}

function pathOf(group: string): string {
  return `/api/events/groups/${encodeURIComponent(group)}`
}

async function act(perform: () => Promise<string>): Promise<string> {
  try {
    const problem = await perform()
    await events.readAgain()
    return problem
  } catch (error) {
    return (error as Error).message
  }
}

async function readEvents(): Promise<Events> {
  try {
    const [states, { deadLetters }] = await Promise.all([
      readJson<EventStates>('/api/events'),
      readJson<{ deadLetters: readonly ShownDeadLetter[] }>('/api/events/dead-letters'),
    ])
    return { kind: 'ready', states, deadLetters }
  } catch (error) {
    return { kind: 'failed', message: (error as Error).message }
  }
}
