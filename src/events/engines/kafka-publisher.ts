import type { Producer } from '@platformatic/kafka'
import type { BrokerRecord } from '../broker.ts'
import { KAFKA_BATCH_CHARS_MAX } from '../limits.ts'

type Publication = {
  readonly records: readonly BrokerRecord[]
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/**
 * Sends one request at a time and puts into the next all that came meanwhile, from whatever shards: requests are then
 * few and large, and no partition ever has a later batch under way while an earlier one may still fail.
 */
export class KafkaPublisher {
  private readonly producer: Producer<string, string, string, string>
  private waiting: Publication[] = []
  private isSending = false

  constructor(producer: Producer<string, string, string, string>) {
    this.producer = producer
  }

  publish(records: readonly BrokerRecord[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ records, resolve, reject })
      if (!this.isSending) void this.send()
    })
  }

  /** Never rejects: each publication is told its own end. */
  private async send(): Promise<void> {
    this.isSending = true
    while (this.waiting.length > 0) {
      const lot = this.waiting
      this.waiting = []
      try {
        for (const messages of requestsOf(lot.flatMap(({ records }) => records))) await this.producer.send({ messages })
        for (const { resolve } of lot) resolve()
      } catch (error) {
        for (const { reject } of lot) reject(error)
      }
    }
    this.isSending = false
  }
}

/** Divides records so that none of a request's batches, one for each partition, is larger than a broker accepts. */
export function requestsOf(records: readonly BrokerRecord[]): BrokerRecord[][] {
  const requests: BrokerRecord[][] = []
  let request: BrokerRecord[] = []
  let charsOf = new Map<string, number>()
  for (const record of records) {
    const partition = `${record.topic}/${record.partition}`
    const chars = (charsOf.get(partition) ?? 0) + record.key.length + record.value.length + HEADER_CHARS
    if (chars > KAFKA_BATCH_CHARS_MAX && charsOf.has(partition)) {
      requests.push(request)
      request = []
      charsOf = new Map()
    }
    charsOf.set(partition, Math.max(chars, 0))
    request.push(record)
  }
  if (request.length > 0) requests.push(request)
  return requests
}

/** About what the headers of a record take. */
const HEADER_CHARS = 400
