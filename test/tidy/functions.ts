import { lineAt, type Source, type Violation } from './source.ts'

/** Limits of one function. Parameters count up to the body; a destructured object is one. */
export const FUNCTION_LINES_MAX = 70
export const PARAMETERS_MAX = 3
export const NESTING_MAX = 3

/** Calls that only group tests: their callback is a list, not a function. */
const GROUPS = /(?:^|[^\w$.])(?:describe|suite)\s*\($/
const CONTROL = /(?:^|[^\w$.])(?:if|for|while|switch|catch|with|for\s+await)$/
const NAME_BEFORE = /([\w$]+)\s*(?::|=)?\s*(?:async\s*)?(?:function\s*\*?\s*)?$/

type Opening =
  | { readonly kind: 'function'; readonly start: number; readonly parameters: string | undefined }
  | { readonly kind: 'group' | 'control' | 'other' }

type Block = { readonly opening: Opening; readonly controls: number; reported: boolean }

/** Functions that are too long, take too many parameters or nest too deep. Measured on code without types, by its braces. */
export function functionViolations(source: Source): readonly Violation[] {
  const violations: Violation[] = []
  const report = (offset: number, rule: string) => {
    violations.push({ path: source.path, line: lineAt(source.bare, offset), rule })
  }
  const stack: Block[] = []
  for (let offset = 0; offset < source.bare.length; offset++) {
    const character = source.bare[offset]
    if (character === '{') stack.push(enter(source, offset, stack.at(-1), report))
    if (character === '}') leave(source, offset, stack.pop(), report)
  }
  return violations
}

type Report = (offset: number, rule: string) => void

function enter(source: Source, offset: number, parent: Block | undefined, report: Report): Block {
  const opening = openingAt(source.bare, offset)
  if (opening.kind === 'function' || opening.kind === 'group') {
    if (opening.kind === 'function') checkParameters(opening, report)
    return { opening, controls: 0, reported: false }
  }
  const controls = (parent?.controls ?? 0) + (opening.kind === 'control' ? 1 : 0)
  const tooDeep = controls > NESTING_MAX && parent?.reported !== true
  if (tooDeep) report(offset, `nested ${controls} deep: at most ${NESTING_MAX}`)
  return { opening, controls, reported: tooDeep || parent?.reported === true }
}

function leave(source: Source, offset: number, block: Block | undefined, report: Report): void {
  if (block?.opening.kind !== 'function') return
  const { start } = block.opening
  const lines = lineAt(source.bare, offset) - lineAt(source.bare, start) + 1
  if (lines > FUNCTION_LINES_MAX) report(start, `function of ${lines} lines: at most ${FUNCTION_LINES_MAX}`)
}

function checkParameters(opening: Extract<Opening, { kind: 'function' }>, report: Report): void {
  const count = countParameters(opening.parameters)
  if (count > PARAMETERS_MAX) report(opening.start, `${count} positional parameters: at most ${PARAMETERS_MAX}`)
}

/** What the brace at `offset` opens, judged by what stands before it. */
function openingAt(code: string, offset: number): Opening {
  let before = trimmedEnd(code, offset)
  const isArrow = code.slice(before - 2, before) === '=>'
  if (isArrow) before = trimmedEnd(code, before - 2)
  if (/(?:^|[^\w$.])(?:else|try|finally|do)$/.test(code.slice(Math.max(0, before - 12), before)))
    return { kind: 'control' }
  if (code[before - 1] !== ')') {
    if (!isArrow) return { kind: 'other' }
    const start = before - (/[\w$]+$/.exec(code.slice(Math.max(0, before - 80), before))?.[0].length ?? 0)
    return { kind: 'function', start, parameters: 'one' }
  }
  const open = openingParenthesis(code, before - 1)
  const head = code.slice(Math.max(0, open - 120), trimmedEnd(code, open))
  if (!isArrow && CONTROL.test(head)) return { kind: 'control' }
  if (isGroup(code, open)) return { kind: 'group' }
  const start = open - (NAME_BEFORE.exec(code.slice(Math.max(0, open - 120), open))?.[0].length ?? 0)
  return { kind: 'function', start, parameters: code.slice(open + 1, before - 1) }
}

/** Whether the function whose parameters open here is the callback of a `describe('…', …)`. */
function isGroup(code: string, open: number): boolean {
  const line = code.slice(code.lastIndexOf('\n', open) + 1, open)
  return GROUPS.test(line.replace(/(['"`]).*$/, '').trimEnd())
}

function openingParenthesis(code: string, close: number): number {
  let depth = 0
  for (let offset = close; offset >= 0; offset--) {
    if (code[offset] === ')') depth++
    if (code[offset] === '(' && --depth === 0) return offset
  }
  return 0
}

function countParameters(parameters: string | undefined): number {
  if (parameters === undefined || parameters.trim() === '') return 0
  let depth = 0
  let count = 1
  for (const character of parameters.trim().replace(/,\s*$/, '')) {
    if ('([{'.includes(character)) depth++
    if (')]}'.includes(character)) depth--
    if (character === ',' && depth === 0) count++
  }
  return count
}

function trimmedEnd(code: string, end: number): number {
  let offset = end
  while (offset > 0 && /\s/.test(code[offset - 1] ?? '')) offset--
  return offset
}
