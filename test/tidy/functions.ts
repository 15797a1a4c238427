import { lineAt, type Source, type Violation } from './source.ts'

/** Limits of one function. */
export const FUNCTION_LINES_MAX = 70
export const PARAMETERS_MAX = 3
export const NESTING_MAX = 3

/** Calls that only group tests: their callback is a list, not a function. */
const GROUP = /(?:^|[^\w$.])(?:describe|suite)\s*\(/
const CONTROL_WORD = /(?:^|[^\w$.])(?:else|try|finally|do)$/
const CONTROL_HEAD = /(?:^|[^\w$.])(?:if|for|while|switch|catch|with|for\s+await)$/
const NAME_BEFORE = /([\w$]+)\s*(?::|=)?\s*(?:async\s*)?(?:function\s*\*?\s*)?$/

/** Functions whose parameters somebody else decided on: what libraries call. */
const DICTATED = new Set(['onResponseStart'])
/**
 * A last parameter that is an object of options, which comes on top: `{ a, b }`, `options`, `context`, `headers = {}`.
 */
const OPTIONS = /^\{|^(?:\w*[oO]ptions|context)\b|=\s*\{\s*\}$/

type Opening =
  | { readonly kind: 'function'; readonly start: number; readonly name: string; readonly parameters: string }
  | { readonly kind: 'group' | 'control' | 'other' }

type Block = { readonly opening: Opening; readonly offset: number; readonly controls: number }

/**
 * Functions that are too long, take too many parameters or nest too deep. Measured on code without types, by its
 * braces.
 */
export function functionViolations(source: Source): readonly Violation[] {
  const { path, bare } = source
  const stack: Block[] = []
  const blocks: Block[] = []
  const rules: { readonly offset: number; readonly rule: string }[] = []
  for (let offset = 0; offset < bare.length; offset++) {
    if (bare[offset] === '{') {
      const block = blockAt(source, offset, stack)
      stack.push(block)
      blocks.push(block)
    } else if (bare[offset] === '}') {
      rules.push(...lengthRules(bare, stack.pop(), offset))
    }
  }
  rules.push(...blocks.flatMap(parameterRules), ...blocks.filter(isTooDeep).map(nestingRule))
  return rules.map(({ offset, rule }) => ({ path, line: lineAt(bare, offset), rule }))
}

function blockAt(source: Source, offset: number, stack: readonly Block[]): Block {
  const opening = openingAt(source.bare, offset)
  const parent = stack.at(-1)
  // The suite that engines must pass is one function with a list of tests, like a describe.
  const isSuite = opening.kind === 'function' && parent === undefined && source.path.endsWith('contract.ts')
  if (isSuite) return { opening: { kind: 'group' }, offset, controls: 0 }
  if (opening.kind === 'function' || opening.kind === 'group') return { opening, offset, controls: 0 }
  return { opening, offset, controls: (parent?.controls ?? 0) + (opening.kind === 'control' ? 1 : 0) }
}

/** Only the first level that is too deep: what is inside it is so by necessity. */
function isTooDeep({ opening, controls }: Block): boolean {
  return opening.kind === 'control' && controls === NESTING_MAX + 1
}

function nestingRule({ offset, controls }: Block) {
  return { offset, rule: `nested ${controls} deep: at most ${NESTING_MAX}` }
}

function lengthRules(code: string, block: Block | undefined, end: number) {
  if (block?.opening.kind !== 'function') return []
  const { start } = block.opening
  const lines = lineAt(code, end) - lineAt(code, start) + 1
  if (lines <= FUNCTION_LINES_MAX) return []
  return [{ offset: start, rule: `function of ${lines} lines: at most ${FUNCTION_LINES_MAX}` }]
}

function parameterRules({ opening }: Block) {
  if (opening.kind !== 'function' || DICTATED.has(opening.name)) return []
  const parameters = splitParameters(opening.parameters)
  const count = OPTIONS.test(parameters.at(-1) ?? '') ? parameters.length - 1 : parameters.length
  if (count <= PARAMETERS_MAX) return []
  return [{ offset: opening.start, rule: `${count} positional parameters: at most ${PARAMETERS_MAX}` }]
}

/** What the brace at `offset` opens, judged by what stands before it. */
function openingAt(code: string, offset: number): Opening {
  const end = endOfCode(code, offset)
  const isArrow = code.slice(end - 2, end) === '=>'
  const before = isArrow ? endOfCode(code, end - 2) : end
  if (CONTROL_WORD.test(code.slice(Math.max(0, before - 12), before))) return { kind: 'control' }
  if (code[before - 1] === ')') return openingAfterParentheses(code, before - 1, isArrow)
  if (!isArrow) return { kind: 'other' }
  const parameter = /[\w$]+$/.exec(code.slice(Math.max(0, before - 80), before))?.[0] ?? ''
  return { kind: 'function', start: before - parameter.length, name: '', parameters: parameter }
}

function openingAfterParentheses(code: string, close: number, isArrow: boolean): Opening {
  const open = openingParenthesis(code, close)
  const head = code.slice(Math.max(0, open - 120), open)
  if (!isArrow && CONTROL_HEAD.test(head.trimEnd())) return { kind: 'control' }
  const line = code.slice(code.lastIndexOf('\n', open) + 1, open)
  if (GROUP.test(line)) return { kind: 'group' }
  const named = NAME_BEFORE.exec(head)
  const start = open - (named?.[0].length ?? 0)
  return { kind: 'function', start, name: named?.[1] ?? '', parameters: code.slice(open + 1, close) }
}

function openingParenthesis(code: string, close: number): number {
  let depth = 0
  for (let offset = close; offset >= 0; offset--) {
    if (code[offset] === ')') depth++
    if (code[offset] === '(' && --depth === 0) return offset
  }
  return 0
}

function splitParameters(text: string): readonly string[] {
  const parameters: string[] = ['']
  let depth = 0
  for (const character of text) {
    if ('([{'.includes(character)) depth++
    if (')]}'.includes(character)) depth--
    if (character === ',' && depth === 0) parameters.push('')
    else parameters.push(parameters.pop() + character)
  }
  return parameters.map((parameter) => parameter.trim()).filter((parameter) => parameter !== '')
}

function endOfCode(code: string, end: number): number {
  let offset = end
  while (offset > 0 && /\s/.test(code[offset - 1] ?? '')) offset--
  return offset
}
