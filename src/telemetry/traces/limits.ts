/** Limits of what is kept of traces, each with its reason. docs/limits.md lists them. */

/**
 * New traces kept in a second by each process with a gateway, if the setting of this name does not say otherwise: a
 * developer's own requests all are, and a flash sale of 10,000 orders a second pays for one in 500.
 */
export const TRACES_PER_SECOND = 20

/** Errors kept in a second of requests whose traces are not: enough to see what fails, too few to make it worse. */
export const ERROR_SPANS_PER_SECOND = 20

/** Traces that went well in memory: a minute's worth at twelve a second, or a day's of a developer. */
export const TRACES_KEPT_MAX = 750

/** Failed traces in memory beside them, so that a failure stays in sight when a thousand others follow. */
export const FAILED_TRACES_KEPT_MAX = 250

/**
 * Spans of one trace: an order of the shop makes 15; a change that every shard hears of makes one for each of 64
 * shards. With the two limits above at most 128,000 spans, some 60 MB if every trace were that large.
 */
export const TRACE_SPANS_MAX = 128

/** Longest text in a span, such as an error's message: beyond it, the beginning says enough. */
export const SPAN_TEXT_CHARS_MAX = 300

/** Time between the messages in which a process tells the others of its spans: as often as the console is painted. */
export const SPANS_SHARED_EVERY_MS = 1_000

/** Spans in one such message: those of 66 orders. What is more is dropped and counted. */
export const SPANS_SHARED_MAX = 1_000

/** Spans that wait for the collector: what OpenTelemetry's own processors keep. What is more is dropped and counted. */
export const EXPORT_QUEUE_SPANS_MAX = 2_048

/** Spans in one request to the collector: about 250 kB of JSON. */
export const EXPORT_BATCH_SPANS_MAX = 512

/** Time until a batch that is not full is sent. */
export const EXPORT_DELAY_MS = 1_000

/** Time the collector gets for a batch, retries included, and so the longest that a collector holds up a stop. */
export const EXPORT_TIMEOUT_MS = 5_000
