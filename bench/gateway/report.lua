-- What wrk prints for people, as one line for the bench.
done = function(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    'REPORT {"requests":%d,"durationUs":%d,"bytes":%d,"p50Us":%d,"p99Us":%d,"refused":%d,"broken":%d}\n',
    summary.requests, summary.duration, summary.bytes, latency:percentile(50), latency:percentile(99),
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
