import type { Answer, LoadRequest } from '../../src/testing/index.ts'
import type { EventEngine } from '../command/broker.ts'

/** One way to take orders, running. The same requests go to every arm. */
export type Arm = {
  readonly name: ArmName
  readonly url: string
  /** The `n`th order of a run. */
  readonly request: (n: number) => LoadRequest
  /** What is wrong with an answer, or undefined. */
  readonly verify: (answer: Answer) => string | undefined
  /** Orders in the databases, and those of them in a final state, asked of PostgreSQL. Absent where there is none. */
  readonly counts?: () => Promise<OrderCounts>
  /** Whether an order stays as it is for ever when its request breaks off: nothing takes it up again. Default false. */
  readonly strandsOrders?: boolean
  /** Settings that a figure depends on, e.g. the PostgreSQL version. */
  readonly facts: Readonly<Record<string, string>>
  stop(): Promise<void>
}

/** What is compared: the shop, once for each engine of events, and what it is held against. */
export const ARM_KINDS = ['groundswell', 'sync', 'bare'] as const
export type ArmKind = (typeof ARM_KINDS)[number]
export type ArmName = ArmKind | `groundswell-${Exclude<EventEngine, 'postgres'>}`

export function shopArmName(events: EventEngine): ArmName {
  return events === 'postgres' ? 'groundswell' : `groundswell-${events}`
}

export type OrderCounts = { readonly placed: number; readonly final: number }

/** How many customers, products and processes the arms have. */
export type ArmSettings = {
  readonly users: number
  readonly skus: number
  /** `one`: gateway and services in one process. `split`: gateway and orders in one, the other services in another. */
  readonly topology: 'one' | 'split'
  /** What delivers the shop's events: the log in PostgreSQL when absent. */
  readonly events?: EventEngine
  /** For the processes of the shop, besides what connects them. */
  readonly env?: Readonly<Record<string, string>>
  readonly log: (line: string) => void
}
