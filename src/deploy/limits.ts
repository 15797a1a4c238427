/** Numbers that every rendered manifest shares, each with its reason. docs/limits.md lists them. */

/**
 * Seconds that a pod goes on as before once it is to stop: until then load balancers and kube-proxy may still send it
 * new connections.
 */
export const PRE_STOP_SECONDS = 10

/** Seconds between the end of our own drain and the kill: the margin that a slow machine gets. */
export const KILL_MARGIN_SECONDS = 10

/** Seconds that a new pod must stay ready before the next old one may go: a crash right after a start shows by then. */
export const MIN_READY_SECONDS = 10

/** Old versions of a Deployment that are kept for going back to. */
export const REVISIONS_KEPT = 5

/** Seconds that `/livez` may take to answer for the first time: the process loads in two; a busy node takes longer. */
export const STARTUP_SECONDS_MAX = 60

/** Percent of the requested processor time at which autoscaling adds replicas: the rest is for the time it takes. */
export const CPU_UTILIZATION_PERCENT = 60

/** Share of a second in which the event loop is busy, in percent, at which autoscaling adds replicas. */
export const EVENT_LOOP_UTILIZATION_PERCENT = 60

/** Percent of the memory limit for JavaScript's heap: buffers, code and stacks need the rest. */
export const HEAP_PERCENT = 75

/** Seconds without need before autoscaling takes replicas away: longer than a lull between two waves of a sale. */
export const SCALE_DOWN_SECONDS = 300

/** Connections that one process of a fleet opens to the databases at least, four for each of the usual four shards. */
export const PROCESS_CONNECTIONS_MIN = 16

/** Connections of one process to each shard. */
export const SHARD_CONNECTIONS = 4

/** Characters of a name in Kubernetes: names of Services are DNS labels (RFC 1123). */
export const NAME_CHARACTERS_MAX = 63
