import { messageOf } from '../core/index.ts'
import { rejectionUnhandled } from './channels.ts'
import { runtimeError } from './errors.ts'

/** What the rest of the process has not been told of. */
export type RejectionWatch = {
  /** Rejects with the first promise that was rejected and that nobody waited for: RUNTIME_REJECTION_UNHANDLED. */
  readonly failed: Promise<never>
  /** Whether there was any. */
  readonly hasFailed: boolean
}

/**
 * Listens, for as long as the process lives, for rejections that nobody handles: a forgotten `await` as a rule. Node
 * would end the process at once, in the middle of what it has accepted. What such code has left undone nobody knows, so
 * that it has to end all the same, but in order.
 */
export function watchRejections(): RejectionWatch {
  const first = Promise.withResolvers<never>()
  let hasFailed = false
  first.promise.catch(() => 'heard of by whoever waits for it: until the application runs nobody does')
  process.on('unhandledRejection', (error) => {
    hasFailed = true
    const isLogged = rejectionUnhandled.hasSubscribers
    rejectionUnhandled.publish({ error })
    const what = `nobody waited for a promise that was rejected: ${messageOf(error)}`
    // Without a log, before it is open, the stack would be nowhere.
    first.reject(isLogged ? runtimeError('RUNTIME_REJECTION_UNHANDLED', `${what}; its stack is in the log`) : error)
  })
  return {
    failed: first.promise,
    get hasFailed() {
      return hasFailed
    },
  }
}
