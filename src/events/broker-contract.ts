import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, afterEach, before, describe, test } from 'node:test'
import { GroundswellError } from '../core/index.ts'
import type { Broker } from './broker.ts'
import {
  aroundBatches,
  type BrokerEngine,
  BrokerFixture,
  type Fault,
  runChild,
  type Scenario,
  scenarioOf,
} from './broker-fixture.ts'
import { workFailed } from './channels.ts'
import { lag } from './operations.ts'

/**
 * What must hold on every broker when it, or a process beside it, is killed, frozen or cut off: nothing is lost, each
 * effect happens once, and in the order of its key. Registers the suite with node:test, and with it what `more` adds of
 * this engine alone; in a process that the suite has started, runs what the fault befalls instead.
 */
export async function brokerContract(engine: BrokerEngine, more: (of: () => BrokerFixture) => void): Promise<void> {
  const [role] = process.argv.slice(2)
  if (role !== undefined) return runChild(engine, JSON.parse(role))
  describe(`faults of ${engine.name}, and around it`, { skip: engine.skip ?? false }, () => {
    let fixture: BrokerFixture

    before(async () => {
      fixture = await BrokerFixture.start(engine)
    })
    afterEach(() => fixture.settle())
    after(() => fixture?.stop())

    /** Starts a consumer that dies at its first batch, lets it die, and another one go on. */
    const survive = async (name: string, fault: Fault, whenDead: (scenario: Scenario) => Promise<void>) => {
      const scenario = scenarioOf(name, { charges: fault === 'die-charged' })
      await fixture.begin({ ...scenario, groups: [] })
      const exited = once(await fixture.startChild(scenario, fault), 'exit')
      await fixture.write(scenario, 0, 50)
      assert.equal((await exited)[1], 'SIGKILL')
      await whenDead(scenario)
      await fixture.begin(scenario, { sequence: false })
      await fixture.write(scenario, 50, 60)
      await fixture.settled(scenario, 60)
    }

    test('C3 5: a forwarder killed between acknowledgement and position repeats records, and no effect', async () => {
      const scenario = scenarioOf('killed-forwarder')
      const exited = once(await fixture.startChild(scenario, 'die-acknowledged'), 'exit')
      await fixture.write(scenario, 0, 50)
      await exited
      let records = 0
      await fixture.begin(scenario, { faults: aroundBatches({ before: (count) => (records += count) }) })
      await fixture.write(scenario, 50, 60)
      await fixture.settled(scenario, 60)
      await engine.until(() => records > 6 * 60, { what: 'records were repeated' })
    })

    test('C3 6: a forwarder frozen past its lease and thawed reorders and repeats nothing', async () => {
      const scenario = scenarioOf('frozen-forwarder')
      const child = await fixture.startChild(scenario, 'freeze-publishing')
      const heard: unknown[] = []
      child.on('message', (message) => heard.push(message))
      await fixture.write(scenario, 0, 30)
      await fixture.begin(scenario)
      await fixture.settled(scenario, 30)
      await fixture.write(scenario, 30, 40)
      child.kill('SIGCONT')
      await engine.until(() => heard.includes('published'), { what: 'the thawed one publishes what it held' })
      await fixture.write(scenario, 40, 50)
      await fixture.settled(scenario, 50)
    })

    test('C3 7: a consumer killed after its effects and before their acknowledgement repeats no effect', async () => {
      await survive('killed-committed', 'die-committed', async (scenario) => {
        assert.ok((await fixture.effects(scenario)).length > 0, 'effects were committed')
      })
    })

    test('C3 8: a consumer killed in the middle of a batch leaves no part of it', async () => {
      await survive('killed-halfway', 'die-halfway', async (scenario) => {
        assert.deepEqual(await fixture.effects(scenario), [])
      })
    })

    test('C3 12: while the broker is down events are accepted; afterwards they arrive once and in order', async () => {
      const scenario = scenarioOf('broker-down')
      await fixture.begin(scenario)
      await fixture.write(scenario, 0, 20)
      await fixture.settled(scenario, 20)
      await fixture.server.flush?.()
      await fixture.server.kill()
      for (let serial = 20; serial < 120; serial += 10) await fixture.write(scenario, serial, serial + 10)
      assert.equal((await fixture.effects(scenario)).length, 6 * 20)
      const waits = async () => (await lag(fixture.cluster)).some((row) => row.lag > 0)
      await engine.until(waits, { what: 'events wait in the log' })
      await fixture.server.restart()
      await fixture.settled(scenario, 120)
    })

    test('C3 13: an acknowledgement that is lost, again and again, makes no gap and no second effect', async () => {
      const scenario = scenarioOf('lost-acknowledgement')
      let publications = 0
      await fixture.begin(scenario, {
        faults: (real) => ({
          async publish(records) {
            await real.publish(records)
            if (publications++ % 3 !== 2) throw lostAcknowledgement()
          },
        }),
      })
      for (let serial = 0; serial < 50; serial += 10) await fixture.write(scenario, serial, serial + 10)
      await fixture.settled(scenario, 50)
    })

    test('C3 14: readers that come and go lose nothing and repeat no effect', async (t) => {
      const scenario = scenarioOf('rebalances')
      let records = 0
      const faults = aroundBatches({ before: (count) => (records += count) })
      await fixture.begin(scenario, { faults })
      let serial = 0
      for (let round = 0; round < 3; round++) {
        const joining = await fixture.begin(scenario, { faults, sequence: false })
        await fixture.write(scenario, serial, serial + 20)
        const seen = async () => (await fixture.effects(scenario)).length > 6 * serial
        await engine.until(seen, { timeoutMs: 60_000 })
        await fixture.write(scenario, serial + 20, serial + 40)
        await fixture.end(joining)
        serial += 40
      }
      await fixture.settled(scenario, serial)
      t.diagnostic(`${records} records were read for ${6 * serial} events`)
    })

    test('C3 16: a client that falls silent is noticed and replaced', async () => {
      const scenario = scenarioOf('silent-client')
      const codes: string[] = []
      const end = workFailed.subscribe(({ error }) => codes.push(error instanceof GroundswellError ? error.code : ''))
      let subscriptions = 0
      const subscribe = async (real: Broker, subscription: Parameters<Broker['subscribe']>[0]) => {
        const reader = await real.subscribe(subscription)
        if (subscriptions++ > 0) return reader
        // Its heartbeats go on.
        reader.pause()
        return { pause() {}, resume() {}, assigned: () => reader.assigned?.() ?? [], stop: () => reader.stop() }
      }
      const faults = (real: Broker) => ({ subscribe: subscribe.bind(undefined, real) })
      await fixture.begin(scenario, { stallMs: 2_000, faults })
      await fixture.write(scenario, 0, 10)
      await engine.until(() => codes.includes('EVENTS_READER_STALLED'), { what: 'the reader is given up' })
      end()
      await fixture.settled(scenario, 10)
    })

    test('C3 22: a consumer killed between a charge and its record charges again under the same key', async () => {
      await survive('killed-charged', 'die-charged', async (scenario) => {
        assert.deepEqual(await fixture.effects(scenario), [])
      })
      const charges = await fixture.charges()
      assert.equal(charges.length, 6 * 60, 'one charge for each event')
      assert.ok(
        charges.some((asked) => asked > 1),
        'the provider was asked again',
      )
    })

    more(() => fixture)
  })
}

function lostAcknowledgement(): GroundswellError {
  return new GroundswellError('EVENTS_BROKER_UNAVAILABLE', 'as the test wants it', {
    ...{ status: 503, retryable: true, remedy: '' },
  })
}
