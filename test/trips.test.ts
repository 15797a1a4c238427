import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import trips from '../examples/trips/app.ts'
import { startApp } from '../src/runtime/index.ts'
import { until } from '../src/testing/index.ts'
import { run } from './shop-process.ts'

/** The example of the guide on sagas, as a user runs it. */
let dataDir: string
let env: Record<string, string>
let running: Awaited<ReturnType<typeof startApp>>

before(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'groundswell-trips-'))
  env = { DATA_DIR: dataDir, GATEWAY_PORT: '0', ADMIN_PORT: '0', CONSOLE_PORT: '0', SHARDS: '2' }
  running = await startApp(trips, { env, log: () => undefined })
})
after(async () => {
  await running?.stop()
  await rm(dataDir, { recursive: true, force: true })
})

type Progress = { readonly status: string; readonly actions: readonly { name: string; state: string }[] }

async function book(nights: number): Promise<string> {
  const answer = await fetch(`${running.addresses.gateway}/trips`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ userId: 12345, nights }),
  })
  assert.equal(answer.status, 202)
  return ((await answer.json()) as { tripId: string }).tripId
}

async function progressOf(tripId: string): Promise<Progress> {
  const answer = await fetch(`${running.addresses.gateway}/trips/${tripId}`)
  assert.equal(answer.status, 200)
  return (await answer.json()) as Progress
}

const ended = (tripId: string, status: string) =>
  until(async () => {
    const progress = await progressOf(tripId)
    return progress.status === status && progress
  })

const statesOf = ({ actions }: Progress) => actions.map(({ name, state }) => `${name} ${state}`)

test('a trip whose flight and hotel are booked is completed by its letter, and an operator sees how', async () => {
  const tripId = await book(7)
  assert.deepEqual(statesOf(await ended(tripId, 'completed')), ['flight done', 'hotel done', 'letter done'])
  const { code, stdout } = await run(['events', 'saga', 'examples/trips/app.ts', 'trip', tripId, '--json'], env)
  assert.equal(code, 0)
  const view = JSON.parse(stdout)
  assert.deepEqual([view.status, view.data], ['completed', { userId: 12345, nights: 7, tripId }])
  assert.deepEqual(view.journal.at(-1).action, 'letter')
})

test('a trip whose hotel is full gives its flight back, and sends no letter', async () => {
  const tripId = await book(21)
  assert.deepEqual(statesOf(await ended(tripId, 'failed')), ['flight undone', 'hotel failed', 'letter skipped'])
  const shown = await run(['events', 'saga', 'examples/trips/app.ts', 'trip', tripId], env)
  assert.match(shown.stdout, /^trip [0-9a-f-]+ {2}failed\n/)
  assert.match(shown.stdout, /hotel +failed/)
})

test('a saga or an id that does not exist is an error that says which there are', async () => {
  const command = (saga: string, id: string) => run(['events', 'saga', 'examples/trips/app.ts', saga, id], env)
  const unknown = await command('order', 'x')
  assert.equal(unknown.code, 1)
  assert.match(unknown.stderr, /CLI_SAGA_UNKNOWN: the application has no saga "order"; there is: trip/)
  const missing = await command('trip', '01997d5e-0000-7000-8000-0000000008d9')
  assert.deepEqual([missing.code, missing.stdout], [1, ''])
  assert.match(missing.stderr, /CLI_SAGA_UNKNOWN: there is no trip 01997d5e/)
})
