/**
 * How much of a cluster a part of an application gets: what the renderer of manifests cannot know from anything else.
 * Everything has a default, so that a service need not say anything.
 */
export type Scale = {
  /** Replicas to begin with, and the fewest that autoscaling leaves. Default 3. */
  readonly replicas?: number
  /** The most that autoscaling makes. Default four times `replicas`. */
  readonly replicasMax?: number
  /** Processor time in thousandths of a core: what is kept for it, and the most it gets. Default 100 and 500. */
  readonly cpuMillis?: Share
  /** Memory in MiB: what is kept for it, and what ends the process when exceeded. Default 128 and 512. */
  readonly memoryMib?: Share
  /** Requests a second that one replica is to take, when measured: autoscaling then also keeps to it. */
  readonly requestsPerSecond?: number
  /** Events of a consumer group's backlog that one replica is to work off. Default 1,000. */
  readonly lagEvents?: number
}

export type Share = { readonly request: number; readonly limit: number }

/** What is wrong with a scale, for {@link app}'s list of problems. */
export function scaleProblems(owner: string, scale: Scale | undefined): readonly string[] {
  if (scale === undefined) return []
  const { replicas = 1, replicasMax = Number.POSITIVE_INFINITY, cpuMillis, memoryMib } = scale
  const counts = { replicas: scale.replicas, replicasMax: scale.replicasMax, lagEvents: scale.lagEvents }
  return [
    ...Object.entries({ ...counts, ...sharesOf({ cpuMillis, memoryMib }) })
      .filter(([, value]) => value !== undefined && !(Number.isInteger(value) && value >= 1))
      .map(([name, value]) => `scale of ${owner}: ${name} is ${value}, it must be a whole number of 1 or more`),
    ...(replicas > replicasMax
      ? [`scale of ${owner}: replicas ${replicas} is more than replicasMax ${replicasMax}`]
      : []),
    ...Object.entries({ cpuMillis, memoryMib }).flatMap(([name, share]) =>
      share !== undefined && share.request > share.limit
        ? [`scale of ${owner}: ${name} requests ${share.request} of at most ${share.limit}`]
        : [],
    ),
  ]
}

function sharesOf(shares: Readonly<Record<string, Share | undefined>>): Record<string, number | undefined> {
  return Object.fromEntries(
    Object.entries(shares).flatMap(([name, share]) => [
      [`${name}.request`, share?.request],
      [`${name}.limit`, share?.limit],
    ]),
  )
}
