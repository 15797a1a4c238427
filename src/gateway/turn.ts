/** What is put off to the end of the turn. */
export type Deferred = { runDeferred(): void }

let queue: Deferred[] = []
let spare: Deferred[] = []

/**
 * Puts work off until this turn of the event loop is over, and everything that the system had to tell has been looked
 * at. What is written to other processes then goes at once: each of them is woken up once and finds all of it, where
 * it would go back to sleep, and be woken up again, between one write and the next: a seventh of what a proxied request
 * costs (docs/decisions/0012). `runDeferred` must not throw.
 */
export function defer(work: Deferred): void {
  if (queue.length === 0) setImmediate(runAll)
  queue.push(work)
}

function runAll(): void {
  const works = queue
  // What is put off from here on is for the next turn.
  queue = spare
  for (const work of works) work.runDeferred()
  works.length = 0
  spare = works
}
