/** Limits of the event log and of delivery, each with its reason. docs/limits.md lists them. */

/**
 * Text of one segment, in UTF-16 units: large enough that the cost of a row no longer shows, small enough to re-read
 * after a restart.
 */
export const SEGMENT_CHARS_MAX = 32_000

/** Text of a shard's segments kept until they are in its log, in UTF-16 units: a second of a busy shop. */
export const WRITTEN_CHARS_MAX = 1_000_000

/** Events of one transaction: beyond it the transaction holds its locks longer than its neighbours should wait. */
export const EMITTED_EVENTS_MAX = 20_000

/** Segments that one drain moves: a backlog of single-event transactions still moves in statements of about 20 ms. */
export const DRAIN_SEGMENTS_MAX = 1_000

/**
 * Least pause between two drains of a shard under load, so that a drain moves many segments; the first after a pause
 * goes at once.
 */
export const DRAIN_LINGER_MS_MIN = 30

/** Longest such pause: it grows with the drain, by DRAIN_LINGER_MS_EACH. */
export const DRAIN_LINGER_MS_MAX = 60

/** Pause per segment: a shard that writes more than 250 segments a second comes to the longest. */
export const DRAIN_LINGER_MS_EACH = 4

/** The longest pause of a process that is saturated: see pace.ts. */
export const DRAIN_LINGER_MS_SATURATED = 90

/** Time over which the use of the event loop is measured: several deliveries. */
export const PACE_SAMPLE_MS = 200

/** Share of the time in which the event loop is busy, up to which there is time to spare: see pace.ts. */
export const PACE_IDLE = 0.4

/**
 * Transactions a second of all loops of a process up to which none need be saved: a fifth of what a slow core bears.
 * One group of one shard has no more at 350 events a second; eight groups of four shards would have thousands.
 */
export const PACE_TRANSACTIONS_FEW = 700

/** Transactions a second from which on the loops linger in full. */
export const PACE_TRANSACTIONS_MANY = 1_400

/** Share up to which nothing lingers longer, and from which on nothing lingers less. */
export const PACE_BUSY = 0.6

/** Share from which on the process counts as saturated: requests queue. */
export const PACE_SATURATED = 0.9

/**
 * How many times longer everything lingers when the process is saturated. At 1,700 orders a second on two slow cores
 * it saves an eighth of the processor time of an order.
 */
export const LINGER_FACTOR_MAX = 4

/**
 * First pause between polls of the outbox after events of another process; doubles while nothing is found. Writers in
 * this process signal.
 */
export const DRAIN_POLL_MS_MIN = 5

/** Longest pause between polls: what a lone event of another process waits at most, against idle load. */
export const DRAIN_POLL_MS_MAX = 250

/** Pause between two notices to other processes: a notice takes a lock over the whole server at commit. */
export const NOTIFY_INTERVAL_MS = 20

/** Pause between two looks at which outbox positions can no longer appear. */
export const FLOOR_INTERVAL_MS = 1_000

/** Time a lease counts without renewal: how long a killed process delays its shards. */
export const LEASE_MS = 3_000

/** Pause between renewals: two may fail before a lease is lost. */
export const LEASE_RENEW_MS = 800

/** Events of one topic and shard kept in memory for groups of this process; slower groups read the log. */
export const TAIL_EVENTS_MAX = 10_000

/**
 * Events of one delivery over all topics of a group. Most fit one shard's transaction of about 100 ms; a source that
 * fans out, such as the home shard's, divides them among its targets, and a round there costs several turns of a busy
 * event loop: with 1,000 such a group stopped at 2,800 events a second.
 */
export const DELIVERY_EVENTS_MAX = 4_000

/**
 * Least pause between two deliveries of a group on a shard under load, so that transactions are few and large; the
 * first after a pause goes at once. At 1,000 orders a second 60 instead of 20 halved the transactions, and the time to
 * accept an order fell from 43 to 14 ms.
 */
export const DELIVERY_LINGER_MS_MIN = 60

/**
 * Longest such pause: it grows with the batch, by a millisecond an event, so that only a group with more than 1,000
 * events a second comes here. An order's five hops then take about half a second; in return its transactions halve.
 */
export const DELIVERY_LINGER_MS_MAX = 150

/** The longest pause of a process that is saturated: an order's hops then still take less than a second. */
export const DELIVERY_LINGER_MS_SATURATED = 250

/**
 * Polling of the log by a group whose process sequences the shard: for a drain that was committed but whose answer got
 * lost.
 */
export const READ_POLL_MS_LOCAL = 1_000

/** Polling of the log by a group whose shard another process sequences: for its notices that got lost. */
export const READ_POLL_MS_REMOTE = 250

/**
 * Pause before a position is written that no effect on its own shard carries along: what a crash in between repeats is
 * skipped by the inbox.
 */
export const POSITION_FLUSH_MS = 100

/**
 * External calls under way per group and shard: about as many as a delivery has events, so that a batch waits for one
 * answer's time, not for several one after the other. What a provider allows at once is for its client to know.
 */
export const CALL_CONCURRENCY_MAX = 1_000

/**
 * Time one external call gets. All keys of its batch wait for it, so that one which hangs delays its group by no more
 * than this per attempt; one that would have answered later is repeated under the same id, for the provider to answer
 * from what it knows.
 */
export const CALL_TIMEOUT_MS = 2_000

/**
 * Attempts of a parked event before it is a dead letter: with the pauses below, about four minutes, so that a provider
 * which is away for one or two makes none.
 */
export const ATTEMPTS_MAX = 15

/** Pause before the second attempt; doubles each time, with jitter of a half each way. */
export const RETRY_BACKOFF_MS_MIN = 200

/** Longest pause between two attempts: people notice a repair within half a minute. */
export const RETRY_BACKOFF_MS_MAX = 30_000

/** Parked events attempted in one transaction. */
export const RETRY_EVENTS_MAX = 200

/** Pause between looks for parked events that are due, in a group that has any. */
export const RETRY_POLL_MS = 100

/** Pause between checks of parked keys against the database, where an operator may have deleted some. */
export const PARKED_REFRESH_MS = 10_000

/**
 * Parked keys of a group and shard, kept in memory. At the limit the group stops reading new events until some are
 * done.
 */
export const PARKED_KEYS_MAX = 100_000

/** Longest error text kept with a parked event. */
export const ERROR_CHARS_MAX = 4_000

/** Pause after a failure of the infrastructure; doubles, with jitter. Repeated for as long as it lasts. */
export const FAILURE_BACKOFF_MS_MIN = 50

/** Longest such pause: what a database that is back waits for its work at most. */
export const FAILURE_BACKOFF_MS_MAX = 5_000

/** Rows that `deadLetters` returns at most. */
export const DEAD_LETTERS_MAX = 1_000

/** Characters of a timer's key: it is an entry of an index. */
export const TIMER_KEY_CHARS_MAX = 200

/** The furthest that an event can be delayed: ten years. Beyond it a mistaken unit is likelier than a wish. */
export const TIMER_DELAY_MS_MAX = 10 * 366 * 86_400_000

/** Timers that one statement moves to the outbox: a backlog of them moves in statements of some ten milliseconds. */
export const TIMERS_RELEASED_MAX = 500

/** Longest pause between two looks for timers that are due: how late one is that is due soon after it was set. */
export const TIMER_POLL_MS_MAX = 250

/** Shortest such pause, when the next is about due, or the one that is due is locked by whoever cancels it. */
export const TIMER_POLL_MS_MIN = 20

/** How long the log keeps events unless told otherwise: a week, so that what broke on a Friday can be replayed. */
export const RETENTION_MS = 7 * 86_400_000

/** The least that can be asked for: the shortest period. */
export const RETENTION_MS_MIN = 60_000

/** The most: ten years. Beyond it a mistaken unit is likelier than a wish. */
export const RETENTION_MS_MAX = 10 * 366 * 86_400_000

/** Periods of the log while it keeps events: each query of the log looks into all of them, for some microseconds. */
export const PERIODS_PER_RETENTION = 7

/** Shortest period: a table has a cost of its own. */
export const PERIOD_MS_MIN = 60_000

/** How far ahead periods exist at least: without one for now nothing can be written, so no stall may reach it. */
export const PERIOD_AHEAD_MS_MIN = 600_000

/** Time that dropping a period waits for its locks. Writers queue behind it meanwhile: no longer than a slow commit. */
export const PERIOD_DROP_LOCK_MS = 100

/** Tries for those locks in one round of housekeeping; whoever keeps them longer is left to the next round. */
export const PERIOD_DROP_ATTEMPTS = 5

/** Pause between them, in which the writers that queued get through. */
export const PERIOD_DROP_PAUSE_MS = 200

/** Pause between two looks at whether an operator pauses or replays a group, with jitter of a half each way. */
export const CONTROL_POLL_MS = 500

/** Pause between two looks of somebody who follows a topic: a person sees no difference to at once. */
export const FOLLOW_POLL_MS = 250

/** Events of one such look at a shard. */
export const FOLLOW_EVENTS_MAX = 500

/** Events forwarded to a broker before the position is advanced: a drain of a busy shard, 400 kB or so. */
export const FORWARD_EVENTS_MAX = 1_000

/** Records that a group's reader has in work in one process before it stops asking: two deliveries. */
export const BROKER_RECORDS_MAX = 8_000

/** Pause between two looks at whether a reader of a broker has fallen silent. */
export const BROKER_WATCH_MS = 5_000

/** Time without a batch, although there is lag, after which a reader counts as stalled: a rebalance is over by then. */
export const BROKER_STALL_MS = 30_000

/** Time a reader that is given up gets to stop. */
export const READER_STOP_MS = 5_000

/**
 * Time that deliveries get to end once their external calls were aborted, at the end of the time for an orderly stop: a
 * transaction that notices rolls back in it, and the databases, which stop after it, keep most of their own.
 */
export const ABORTED_STOP_MS = 2_000

/** Pause between looks at which keys are parked, where another worker or process may have parked or freed them. */
export const BROKER_PARKED_REFRESH_MS = 1_000

/** Text of one partition’s batch, in UTF-16 units: well below the megabyte that a broker accepts as delivered. */
export const KAFKA_BATCH_CHARS_MAX = 400_000

/**
 * Bytes of one batch in topics that are made here, and so of one event: eight times what Kafka allows as delivered, for
 * an event with a whole request body in it. A larger one holds up its shard, loudly.
 */
export const KAFKA_MESSAGE_BYTES_MAX = 8_388_608

/** Records that a group's reader keeps of what it fetched from Kafka: two deliveries. */
export const KAFKA_BUFFER_RECORDS_MAX = 8_000

/** Time a fetch waits at the broker while there is nothing. New records end it at once. */
export const KAFKA_WAIT_MS = 500

/** Time without a heartbeat after which Kafka gives a reader's partitions to others: long for a busy event loop. */
export const KAFKA_SESSION_MS = 10_000

/** Time that readers get to join when partitions are divided anew. */
export const KAFKA_REBALANCE_MS = 30_000

/** Time one request to Kafka gets. */
export const KAFKA_REQUEST_MS = 10_000

/** Times that the client repeats a request by itself; we repeat for as long as it takes. */
export const KAFKA_RETRIES_MAX = 3

/** Pause between those. */
export const KAFKA_RETRY_MS = 250

/** Events of a topic that are looked through for the oldest one that a group has not read from its broker. */
export const LAG_EVENTS_MAX = 2_000

/**
 * Times LAG_EVENTS_MAX that a group may be behind on a topic of a shard for what it has to read from RabbitMQ to be
 * counted in the log, event by event: more than six processes can hold there with 12 partitions. They are read once.
 */
export const LAG_BLOCKS_MAX = 10

/** Time a broker gets to be connected to, before what needs it fails and is tried again. */
export const BROKER_CONNECT_MS = 5_000

/** Pause between two attempts to connect to a broker; doubles up to FAILURE_BACKOFF_MS_MAX. */
export const BROKER_RECONNECT_MS_MIN = 100

/** Silence after which a connection to RabbitMQ counts as dead. */
export const BROKER_HEARTBEAT_S = 15

/** Time that a connection to a broker gets to be closed in order, before it is cut. */
export const BROKER_CLOSE_MS = 2_000

/**
 * Records sent to RabbitMQ and not confirmed yet: at 20,000 a second the way to its disk and back, of some 50 ms,
 * holds 1,000.
 */
export const RABBITMQ_UNCONFIRMED_MAX = 2_000

/**
 * Records of one queue that a process holds unacknowledged, so that the next batch is there when one is done. A service
 * has a queue for each partition of each of its topics; with 12 partitions this is 3,000 of a topic.
 */
export const RABBITMQ_PREFETCH = 250

/**
 * Records in one queue of RabbitMQ. Above it publishing is refused, and the backlog stays in PostgreSQL. A policy of
 * the server's may set a lower one. It is high because one group that does not read then holds up all.
 */
export const RABBITMQ_QUEUE_RECORDS_MAX = 5_000_000

/**
 * Deliveries of a record before RabbitMQ gives it up as a dead letter. Records that fail are held, not returned, so
 * that only dead processes and lost connections count: a loop of crashes, once a second for three hours.
 */
export const RABBITMQ_DELIVERIES_MAX = 10_000

/**
 * Pause between two looks at what RabbitMQ gave up and at how many processes share the queues of a group: how long one
 * that joins waits for its part.
 */
export const RABBITMQ_CHECK_MS = 10_000

/** Channels that make queues side by side: RabbitMQ takes tens of milliseconds for each. */
export const RABBITMQ_DECLARE_CHANNELS = 8

/**
 * Longest journal of a saga: a few hundred entries, where one has three per action. What repeats itself that often is
 * a participant that goes in circles, and its event becomes a dead letter.
 */
export const JOURNAL_CHARS_MAX = 16_000

/**
 * States of one saga that are remembered, by the way that led there: an order has a few dozen. What many actions side
 * by side have beyond this is worked out anew each time.
 */
export const SAGA_STATES_REMEMBERED_MAX = 10_000
