import { type Channel, channel } from 'node:diagnostics_channel'

/** A typed `node:diagnostics_channel`: folders publish facts on it, telemetry subscribes, neither imports the other. */
export type Facts<Fact> = {
  readonly name: string
  /** True when somebody listens: build costly facts only then. */
  readonly hasSubscribers: boolean
  publish(fact: Fact): void
  subscribe(listener: (fact: Fact) => void): () => void
}

export function facts<Fact>(name: string): Facts<Fact> {
  const inner: Channel = channel(`groundswell.${name}`)
  return {
    name: inner.name as string,
    get hasSubscribers() {
      return inner.hasSubscribers
    },
    publish: (fact) => inner.publish(fact),
    subscribe(listener) {
      inner.subscribe(listener as (message: unknown) => void)
      return () => void inner.unsubscribe(listener as (message: unknown) => void)
    },
  }
}
