/** Metrics of `/metrics` that autoscaling reads. A test compares them with what telemetry exposes. */

/** Of each process: the share of the last second in which its event loop was busy. */
export const EVENT_LOOP_UTILIZATION = 'nodejs_eventloop_utilization_ratio'

/** Histogram of the requests that services answered; its count gives their rate. */
export const REQUEST_COUNT = 'http_server_request_duration_seconds_count'

/** Made from {@link REQUEST_COUNT} by the adapter's rules. */
export const REQUESTS_PER_SECOND = 'http_server_requests_per_second'

/** By topic and `consumer_group`: events that a group has still to process. */
export const LAG_EVENTS = 'groundswell_consumer_lag_events'
