import type { LoadRequest } from '../../src/testing/index.ts'
import type { Arm } from '../orders/arm.ts'

/** What is asked of an arm, again and again, and what is wrong with an answer. */
export type Workload = {
  readonly request: (n: number) => LoadRequest
  readonly verify: (answer: { readonly status: number; readonly body: string }) => string | undefined
}

/**
 * `product`: a read through the gateway with its plugins, of one statement: the cheapest request that a shop has, so
 * that what telemetry adds weighs most. `order`: an order, with all that its consumers do.
 */
export const WORKLOADS = {
  product: (arm: Arm): Workload => {
    const { headers = {} } = arm.request(0)
    const { apikey = '' } = headers
    return {
      request: () => ({ method: 'GET', path: '/products/load-board-1', headers: { apikey } }),
      verify: ({ status, body }) =>
        status === 200 && body.includes('"sku":"load-board-1"') ? undefined : `status ${status}`,
    }
  },
  order: (arm: Arm): Workload => ({
    request: arm.request,
    verify: (answer) => arm.verify({ ...answer, reusable: true }),
  }),
}

export type WorkloadName = keyof typeof WORKLOADS
export const WORKLOAD_NAMES = Object.keys(WORKLOADS) as readonly WorkloadName[]
