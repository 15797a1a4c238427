/** A text that is made while it is sent, such as the metrics for Prometheus. */
export type TextPage = {
  readonly contentType: string
  /** The text as it is now, in pieces, with room for other work between them. */
  read(): AsyncIterable<string>
}
