/** The end of a command's help: lines that are commands are shown as such, others are notes below them. */
export function examples(...lines: readonly string[]): string {
  const [commands, notes] = [lines.filter(isCommand), lines.filter((line) => !isCommand(line))]
  const shown = commands.map((line) => `  $ ${line}`)
  return ['', 'Example:', ...shown, ...(notes.length > 0 ? ['', ...notes] : [])].join('\n')
}

function isCommand(line: string): boolean {
  return /^([A-Z]+=\S+ )*groundswell /.test(line)
}
