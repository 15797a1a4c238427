/** What positions are kept of where a broker carries a topic: one of its partitions, for one source shard. */
export function streamOf(topic: string, partition: number): string {
  return `${topic}/${partition}`
}

/** The topic of a stream. */
export function topicOf(stream: string): string {
  return stream.slice(0, stream.indexOf('/'))
}
