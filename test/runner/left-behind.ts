import { after } from 'node:test'

/**
 * Loaded before every test file: a file that leaves a timer, socket or process behind fails, and says what it left,
 * instead of running for ever. The time covers the file's own `after` hooks, which run later than this one.
 */
const LEFT_BEHIND_MS = 30_000

after(() => {
  const timer = setTimeout(() => {
    process.stderr.write(`left behind: ${process.getActiveResourcesInfo().join(', ')}\n`)
    process.exit(1)
  }, LEFT_BEHIND_MS)
  timer.unref()
})
