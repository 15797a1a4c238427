import type { RetryConfig } from '../config/upstream-entities.ts'
import { RecentCounts } from './recent-counts.ts'

/**
 * Bounds the retries of what a target had already got: when everything fails, retries must not multiply the load that
 * makes it fail. Source: Finagle, RetryBudget; Envoy, retry budgets.
 */
export class RetryBudget {
  readonly #recent = new RecentCounts()

  /** One more request, whatever becomes of it. */
  deposit(nowMs: number): void {
    this.#recent.add(nowMs)
  }

  /** Whether one more retry is within the budget, which it then is taken from. */
  withdraw(nowMs: number, { budget_min, budget_ratio }: RetryConfig): boolean {
    const allowed = Math.max(budget_min, this.#recent.all(nowMs) * budget_ratio)
    if (this.#recent.special(nowMs) + 1 > allowed) return false
    this.#recent.addSpecial(nowMs)
    return true
  }
}
