import { Refusal } from './api.js'

/**
 * Asks again and again until `ask` answers true. Pauses grow while nothing changes, stop while nobody looks, and are as
 * long as the gateway wants them when it wants any.
 *
 * Why not a stream of events: an order is final within a second or so, and a page asks a handful of times until then. A
 * stream would hold one connection for each buyer of a sale, at the very moment when connections are scarce.
 */

const FIRST_PAUSE_MS = 200
const GROWTH = 1.5

/**
 * @param {() => Promise<boolean>} ask true ends it
 * @param {{ pauseMsMax: number, steady?: boolean, onTrouble: (refusal: Refusal | undefined) => void }} options
 *   `steady` begins at the longest pause; `onTrouble` hears of each failure, and with undefined that it is over.
 */
export async function repeat(ask, { pauseMsMax, steady = false, onTrouble }) {
  let pauseMs = steady ? pauseMsMax : FIRST_PAUSE_MS
  let troubled = false
  for (;;) {
    let waitMs = jittered(pauseMs)
    try {
      if (await ask()) return
      if (troubled) onTrouble(undefined)
      troubled = false
    } catch (error) {
      if (!(error instanceof Refusal) || error.kind === 'refused') throw error
      troubled = true
      onTrouble(error)
      waitMs = Math.max(waitMs, (error.retryAfterSeconds ?? 0) * 1_000)
    }
    pauseMs = Math.min(pauseMs * GROWTH, pauseMsMax)
    await pause(waitMs)
    await visible()
  }
}

/** Up to a quarter longer or shorter, so that the pages of a sale do not ask in step. @param {number} ms */
function jittered(ms) {
  const [byte = 128] = crypto.getRandomValues(new Uint8Array(1))
  return ms * (0.75 + byte / 512)
}

/** Ends early when the network comes back. @param {number} ms @returns {Promise<void>} */
function pause(ms) {
  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(timer)
      removeEventListener('online', finish)
      resolve()
    }
    const timer = setTimeout(finish, ms)
    addEventListener('online', finish)
  })
}

/** @returns {Promise<void>} */
function visible() {
  if (!document.hidden) return Promise.resolve()
  return new Promise((resolve) => {
    document.addEventListener('visibilitychange', () => resolve(), { once: true })
  })
}
