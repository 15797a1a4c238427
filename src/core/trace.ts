import { randomFillSync } from 'node:crypto'

/**
 * Who a piece of work is within its trace, as one short text that travels in headers, in events and in contexts:
 * `00-<trace id>-<span id>-<flags>`, 32, 16 and 2 lowercase hex digits. Here the flags are `01`, kept ("sampled"), or
 * `00`: asking whether a trace is kept is then a look at one character. What is not kept makes no spans, and hands on
 * the span id that it got. Source: W3C Trace Context, section 3.2.
 */
const TRACEPARENT = /^(?!ff)([0-9a-f]{2})-((?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/
/** As we write it, which is all that the gateway hands to services: then nothing has to be taken apart. */
const OWN_FORM = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-0[01]$/
/** Where the last digit of the flags stands, and what it is in a trace that is kept. */
const FLAG_OFFSET = 54
const SAMPLED_DIGIT = 0x31

/**
 * A header's value in our own form, or undefined when it is none: not a text, malformed, or ids of zeros only. Of
 * versions to come the parts that version 00 knows are read.
 */
export function parseTraceparent(value: unknown): string | undefined {
  if (typeof value !== 'string' || value.length > TRACEPARENT_CHARS_MAX) return undefined
  if (OWN_FORM.test(value)) return value
  const match = TRACEPARENT.exec(value)
  if (match === null || (match[1] === '00' && match[4] !== undefined)) return undefined
  return `00-${match[2]}-0${Number.parseInt(match[3] ?? '', 16) & 1}`
}

/** Longest header value that is looked at: the 55 characters of version 00, and room for a version to come. */
const TRACEPARENT_CHARS_MAX = 256

export function traceparentOf(traceId: string, spanId: string, sampled: boolean): string {
  return `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`
}

/** The 32 hex digits that join everything one request caused. */
export function traceIdOf(traceparent: string): string {
  return traceparent.slice(3, 35)
}

/** The 16 hex digits of the span that this traceparent names: the parent of whoever receives it. */
export function spanIdOf(traceparent: string): string {
  return traceparent.slice(36, 52)
}

/** Whether spans of this trace are kept. False for a text that is no traceparent, such as the empty one. */
export function isSampled(traceparent: string): boolean {
  return traceparent.charCodeAt(FLAG_OFFSET) === SAMPLED_DIGIT
}

/** The traceparent of a piece of work that this one caused: a span id of its own, if the trace is kept. */
export function childTraceparent(parent: string): string {
  return isSampled(parent) ? `${parent.slice(0, 36)}${newSpanId()}-01` : parent
}

/** A new trace that nobody keeps: for work that no request through the gateway started. */
export function newTraceparent(): string {
  return traceparentOf(randomDigits(32), randomDigits(16), false)
}

/** 16 random hex digits. */
export function newSpanId(): string {
  return randomDigits(16)
}

/** Random bytes are drawn for many ids at once: one call each is what would cost. */
const POOL_BYTES = 8_192
const bytes = Buffer.allocUnsafe(POOL_BYTES)
let digits = ''
let offset = 0

function randomDigits(count: 16 | 32): string {
  if (offset + count > digits.length) {
    digits = randomFillSync(bytes).toString('hex')
    offset = 0
  }
  offset += count
  const drawn = digits.slice(offset - count, offset)
  // Zeros only would be no id. One in 2^64 draws is that.
  return /[1-9a-f]/.test(drawn) ? drawn : randomDigits(count)
}
