import { gatewayPlugin, headerName } from 'groundswell'

type Config = { readonly calls: number; readonly contact: string | null }

const CALLS_LEFT = headerName('X-Trial-Calls-Left')

/** Lets each consumer try a service a few times, and then says whom to ask for more. */
export const trialQuota = gatewayPlugin({
  name: 'trial-quota',
  priority: 905,
  config: [
    { calls: { type: 'integer', required: true, default: 100, gt: 0, description: 'Calls that a consumer has.' } },
    { contact: { type: 'string', description: 'Whom to ask for more.' } },
  ],
  prepare: (config: Config, { keep }) => ({ config, used: keep(() => new Map<string, number>()) }),
  phases: {
    access(exchange, { config: { calls, contact }, used }) {
      const { consumer } = exchange
      if (consumer === undefined) return exchange.exit(401, 'Unauthorized')
      const count = (used.get(consumer.id) ?? 0) + 1
      if (count > calls) return exchange.exit(402, `The trial is over: ask ${contact ?? 'us'} for more`)
      used.set(consumer.id, count)
      exchange.setReplyHeader(CALLS_LEFT, String(calls - count))
      return undefined
    },
  },
})
