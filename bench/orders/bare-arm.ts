import { fileURLToPath } from 'node:url'
import { startNode } from '../command/processes.ts'
import type { Arm, ArmSettings } from './arm.ts'

/** A bare node:http server in a process of its own: what this machine's Node can do at all. */
export async function startBareArm({ users, skus }: ArmSettings): Promise<Arm> {
  const server = await startNode([fileURLToPath(new URL('bare-server.ts', import.meta.url))], {})
  const headers = { apikey: 'x'.repeat(32), 'Content-Type': 'application/json' }
  const bodies = Array.from({ length: users * skus }, (_, n) =>
    JSON.stringify({
      userId: (n % users) + 1,
      lines: [{ sku: `load-board-${(n % skus) + 1}`, quantity: 1 }],
      cardToken: 'tok_visa',
    }),
  )
  return {
    name: 'bare',
    url: server.find(/^ready (http\S+)/m),
    request: (n) => ({ method: 'POST', path: '/orders', headers, body: bodies[n % bodies.length] }),
    verify({ status, body }) {
      if (status !== 202) return `status ${status}`
      return /^\{"orderId":"[0-9a-f-]{36}","status":"placed"\}$/.test(body)
        ? undefined
        : 'an answer without an order id'
    },
    facts: {},
    stop: () => server.stop(),
  }
}
