import { SIGNAL_DUPLICATE_MS } from './limits.ts'

/**
 * What a signal to stop means. Nothing here depends on who else got it: a terminal sends Ctrl-C to npm, to us and to
 * our PostgreSQL at once, and npm passes its own on to us, so the same Ctrl-C arrives twice.
 *
 *     running ─signal→ draining ─another, later→ draining, and says so ─a third, later→ abort
 *
 * Signals within 400 ms of the one before count as the same.
 */
export type SignalMeaning = 'stop' | 'duplicate' | 'again' | 'abort'

export function createSignalPolicy(duplicateMs: number = SIGNAL_DUPLICATE_MS): (nowMs: number) => SignalMeaning {
  let count = 0
  let lastMs = Number.NEGATIVE_INFINITY
  return (nowMs) => {
    const isDuplicate = nowMs - lastMs < duplicateMs
    lastMs = nowMs
    if (isDuplicate) return 'duplicate'
    count += 1
    if (count === 1) return 'stop'
    return count === 2 ? 'again' : 'abort'
  }
}

const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Longest delay that a timer takes: the timer only keeps the process alive. */
const TIMER_MS_MAX = 2 ** 31 - 1

/**
 * Aborts at the first signal to stop. Keeps the process alive, also while it drains: a server in a process of its own
 * does not. Commands end explicitly. Later signals are answered with a line, and the third ends the process with 1.
 */
export function stopRequested(log: (line: string) => void): AbortSignal {
  const meaningOf = createSignalPolicy()
  const stop = new AbortController()
  setInterval(() => undefined, TIMER_MS_MAX)
  const received = () => {
    const meaning = meaningOf(performance.now())
    if (meaning === 'stop') stop.abort(new Error('asked to stop'))
    if (meaning === 'again') log('still finishing what was accepted; once more ends it at once')
    if (meaning === 'abort') process.exit(1)
  }
  for (const signal of STOP_SIGNALS) process.on(signal, received)
  return stop.signal
}

/** Resolves when the signal aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

/**
 * Asks a command that drains to stop, as a signal would: whoever read its output has gone. Answers whether one runs.
 */
export function requestStop(): boolean {
  return process.listenerCount('SIGHUP') > 0 && process.emit('SIGHUP')
}
