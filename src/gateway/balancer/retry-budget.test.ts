import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RetryConfig } from '../config/upstream-entities.ts'
import { RetryBudget } from './retry-budget.ts'

const CONFIG: RetryConfig = { http_statuses: [503], methods: ['GET'], budget_ratio: 0.2, budget_min: 3 }

const granted = (budget: RetryBudget, nowMs: number) =>
  Array.from({ length: 100 }, () => budget.withdraw(nowMs, CONFIG)).filter(Boolean).length

test('a share of the requests of the last ten seconds may be retried, and a few in any case', () => {
  const budget = new RetryBudget()
  assert.equal(granted(budget, 0), 3)
  for (let index = 0; index < 100; index++) budget.deposit(5_000)
  assert.equal(granted(budget, 5_000), 17)
  assert.equal(granted(budget, 14_000), 3)
  assert.equal(granted(budget, 60_000), 3)
})
