import type { RequestListener } from 'node:http'

/** One way to run the gateway. */
export type GatewayFixture = {
  readonly name: string
  readonly capabilities: GatewayCapabilities
  /** A gateway with an empty configuration in a database, and `echo-service`, one of its application's services. */
  start(echo: RequestListener): Promise<RunningFixture>
}

/** What differs by how the gateway is run. */
export type GatewayCapabilities = {
  /** What services of the application see as `Connection`: that of one hop; undefined where there is no hop. */
  readonly connectionSeen: 'keep-alive' | undefined
}

export type RunningFixture = {
  readonly port: number
  /** Origin of the Admin API. */
  readonly admin: string
  stop(): Promise<void>
}
