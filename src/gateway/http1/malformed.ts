/** What a peer sent is no HTTP/1.1, or could be read in two ways: nothing more of its connection is believed. */
export class MalformedResponse extends Error {
  readonly code = 'RESPONSE_MALFORMED'
}

/** A request that cannot be written without becoming another one. */
export class UnwritableRequest extends Error {
  readonly code = 'REQUEST_UNWRITABLE'
}
