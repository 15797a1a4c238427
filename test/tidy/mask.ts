/**
 * Blanks what is not code, so that rules can be plain regular expressions: comments, the insides of strings, of
 * templates and of regular expressions become spaces. Line breaks and the length stay, `${…}` inside a template stays
 * code.
 *
 * A tokenizer in miniature. Its one guess is whether a slash divides or opens a regular expression: it looks at what
 * came before, which is right for all code that the formatter has laid out.
 */
export function mask(text: string): string {
  const state: State = { text, offset: 0, output: '', templates: [] }
  while (state.offset < text.length) step(state)
  return state.output
}

type State = {
  readonly text: string
  offset: number
  output: string
  /** For every template that is open: how many braces are open in its current `${`. */
  readonly templates: number[]
}

/** How far back from a slash to look for code: longer than any comment in between. */
const LOOK_BACK = 4000
const REGEX_AFTER_WORD = /(?:^|[^\w$.])(?:return|typeof|case|in|of|delete|void|throw|new|else|do|await|yield|default)$/
const REGEX_AFTER_SIGN = /[(,=:[!&|?{};+\-*%<>~^]$/

function step(state: State): void {
  const { text, offset, templates } = state
  const character = text[offset] ?? ''
  const pair = text.slice(offset, offset + 2)
  if (pair === '//') {
    blankUntil(state, endOf(text, '\n', offset))
  } else if (pair === '/*') {
    blankUntil(state, endOf(text, '*/', offset + 2) + 2)
  } else if (character === "'" || character === '"') {
    quoted(state, character)
  } else if (character === '`') {
    keep(state, '`')
    templateText(state)
  } else if (character === '/' && opensRegex(state.output)) {
    regex(state)
  } else if (character === '}' && templates.at(-1) === 0) {
    templates.pop()
    keep(state, '}')
    templateText(state)
  } else {
    countBrace(templates, character)
    keep(state, character)
  }
}

function countBrace(templates: number[], character: string): void {
  const open = templates.pop()
  if (open !== undefined) templates.push(open + (character === '{' ? 1 : 0) - (character === '}' ? 1 : 0))
}

function opensRegex(before: string): boolean {
  const code = before.slice(-LOOK_BACK).trimEnd()
  return code === '' || REGEX_AFTER_SIGN.test(code) || REGEX_AFTER_WORD.test(code)
}

function quoted(state: State, quote: string): void {
  keep(state, quote)
  let end = state.offset
  while (end < state.text.length && state.text[end] !== quote && state.text[end] !== '\n') {
    end += state.text[end] === '\\' ? 2 : 1
  }
  blankUntil(state, end)
  if (state.text[end] === quote) keep(state, quote)
}

function regex(state: State): void {
  keep(state, '/')
  let end = state.offset
  let inClass = false
  while (end < state.text.length && state.text[end] !== '\n') {
    const character = state.text[end]
    if (character === '/' && !inClass) break
    if (character === '[') inClass = true
    if (character === ']') inClass = false
    end += character === '\\' ? 2 : 1
  }
  blankUntil(state, end)
  if (state.text[end] === '/') keep(state, '/')
}

/** From inside a template's text to its end, or to the `${` that opens code. */
function templateText(state: State): void {
  const { text } = state
  let end = state.offset
  while (end < text.length && text[end] !== '`' && !(text[end] === '$' && text[end + 1] === '{')) {
    end += text[end] === '\\' ? 2 : 1
  }
  blankUntil(state, end)
  if (text[end] === '`') {
    keep(state, '`')
  } else if (end < text.length) {
    keep(state, '$')
    keep(state, '{')
    state.templates.push(0)
  }
}

function keep(state: State, character: string): void {
  state.output += character
  state.offset += 1
}

function blankUntil(state: State, end: number): void {
  const stop = Math.min(end, state.text.length)
  state.output += state.text.slice(state.offset, stop).replace(/[^\n]/g, ' ')
  state.offset = stop
}

function endOf(text: string, what: string, from: number): number {
  const index = text.indexOf(what, from)
  return index === -1 ? text.length : index
}
