import { z } from 'zod'

/** Opaque cursors: where a page ended, as text that clients pass back unread. */
export function encodeCursor(after: string): string {
  return Buffer.from(JSON.stringify({ after })).toString('base64url')
}

/** Where the page before ended; undefined when the text is no cursor of ours. */
export function decodeCursor(cursor: string): string | undefined {
  try {
    return Content.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'))).after
  } catch {
    return undefined
  }
}

const Content = z.object({ after: z.string().regex(/^\P{Cc}{1,64}$/u) })
