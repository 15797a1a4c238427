import { after, before, describe, test } from 'node:test'
import { adminCases } from './admin-cases.ts'
import { authenticationCases } from './authentication-cases.ts'
import type { Case } from './case.ts'
import { answerWithRequest } from './echo.ts'
import { errorCases } from './error-cases.ts'
import type { GatewayFixture, RunningFixture } from './fixture.ts'
import { headerCases } from './header-cases.ts'
import { pluginCases } from './plugin-cases.ts'
import { resolutionCases } from './resolution-cases.ts'
import { routingCases } from './routing-cases.ts'
import { trafficCases } from './traffic-cases.ts'
import { World } from './world.ts'

/**
 * What clients and operators of Kong are promised, as HTTP: nothing here knows how the gateway is run. A fixture says
 * how, and what legitimately differs by it.
 */
const GROUPS: Readonly<Record<string, readonly Case[]>> = {
  'Admin API': adminCases,
  routing: routingCases,
  headers: headerCases,
  'answers of the gateway itself': errorCases,
  'which instance of a plugin runs': resolutionCases,
  'plugins that ask who calls': authenticationCases,
  'plugins that limit and keep': trafficCases,
  'plugins that change and refuse': pluginCases,
}

/** Registers the suite with node:test. */
export function gatewayContract(fixture: GatewayFixture): void {
  describe(`gateway: ${fixture.name}`, () => {
    let running: RunningFixture

    before(async () => {
      running = await fixture.start(answerWithRequest)
    })
    after(() => running?.stop())

    for (const [group, cases] of Object.entries(GROUPS)) {
      describe(group, () => {
        for (const [name, run] of cases) {
          test(name, async (context) => {
            const world = new World(running, fixture.capabilities, context)
            try {
              await run(world)
            } finally {
              await world.remove()
            }
          })
        }
      })
    }
  })
}
