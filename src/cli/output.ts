import { GroundswellError, messageOf } from '../core/index.ts'

/**
 * What commands print: results on stdout, everything about how it is going on stderr, so that a pipe gets results only.
 */

export function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2))
}

export function note(text: string): void {
  process.stderr.write(`${text}\n`)
}

/** Plain columns, two spaces apart, as wide as their content; columns of numbers are aligned to the right. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const cells = rows.map((row) => row.map(String))
  const widths = head.map((title, column) => Math.max(title.length, ...cells.map((row) => row[column]?.length ?? 0)))
  const numeric = head.map((_, column) => rows.length > 0 && rows.every((row) => typeof row[column] === 'number'))
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => (numeric[column] ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0)))
      .join('  ')
      .trimEnd()
  return [line(head), ...cells.map(line)].join('\n')
}

/**
 * An operating error in one line, `error CODE: message`: the message says what to do as well. Anything else is a defect
 * of ours, and then the stack is what helps.
 */
export function describeFailure(error: unknown): string {
  if (error instanceof GroundswellError) return `error ${error.code}: ${oneLine(error.message)}`
  const failures = error instanceof AggregateError ? error.errors : []
  if (failures.length > 0) return failures.map(describeFailure).join('\n')
  return `error UNEXPECTED: ${error instanceof Error && error.stack ? error.stack : messageOf(error)}`
}

/** Lists and the ends of logs, which have lines of their own, in one. */
function oneLine(text: string): string {
  return text
    .replace(/:\s*\n\s*(- )?/g, ': ')
    .replace(/\s*\n\s*(- )?/g, '; ')
    .trim()
}
