/** One way to answer the request, running. */
export type Arm = {
  readonly name: ArmName
  readonly url: string
  /** Of the process, or processes, under test: neither the load generator's nor the upstream's. */
  readonly pids: readonly number[]
  stop(): Promise<void>
}

export const ARM_NAMES = ['bare', 'in-process', 'proxied', 'fastify-http-proxy', 'http-proxy', 'nginx'] as const
export type ArmName = (typeof ARM_NAMES)[number]
