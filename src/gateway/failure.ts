import { requestFailed } from './channels.ts'
import type { Exchange } from './exchange.ts'

/** Ends a request that a plugin, or a service in this process, threw on. */
export function failExchange(exchange: Exchange, error: unknown): void {
  requestFailed.publish({ requestId: exchange.requestId, traceparent: exchange.traceparent, error })
  if (exchange.response.headersSent) {
    if (!exchange.response.writableEnded) exchange.response.destroy()
    return
  }
  exchange.exited = false
  exchange.exit(500, 'An unexpected error occurred')
}
