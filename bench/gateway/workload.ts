/** The one request that every arm answers, and its answer. */
export const PATH = '/hello'
export const ANSWER = { message: 'hello from the upstream, in about as many bytes as a small answer of an API has' }
export const ANSWER_TEXT = JSON.stringify(ANSWER)

/** Sent to every arm; the gateway's plugins know it. */
export const API_KEY = 'k'.repeat(32)
