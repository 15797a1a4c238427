import type { IncomingMessage, ServerResponse } from 'node:http'

/**
 * Sends `100 Continue` when somebody begins to read the request's body: a request that is refused before costs its
 * client no upload. Until then the header `expect` stays, and with it the duty to close the connection, on which a
 * body may or may not follow. Source: RFC 9110, 10.1.1.
 */
export function continueWhenRead(request: IncomingMessage, response: ServerResponse): void {
  const read = request._read
  request._read = (size) => {
    if (request.headers.expect !== undefined && !response.headersSent) {
      delete request.headers.expect
      response.writeContinue()
    }
    read.call(request, size)
  }
}
