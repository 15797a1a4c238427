import { existsSync, readdirSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { cliError } from './errors.ts'

const FOLDER = new URL('../../bench/', import.meta.url)

/** What a file in bench/ exports: `run` gets the arguments after its name and answers the exit code. */
type Bench = { readonly run: (args: readonly string[]) => Promise<number> }

/** `groundswell bench`: runs bench/<name>.ts. One question a file. */
export async function bench(name: string, args: readonly string[]): Promise<number> {
  const known = benchNames()
  if (!known.includes(name)) {
    const list = known.length === 0 ? 'none here' : known.join(', ')
    throw cliError('CLI_BENCH_UNKNOWN', `there is no benchmark "${name}"; there is: ${list}`)
  }
  const { run } = (await import(pathToFileURL(fileURLToPath(new URL(`${name}.ts`, FOLDER))).href)) as Bench
  return run(args)
}

function benchNames(): readonly string[] {
  if (!existsSync(FOLDER)) return []
  return readdirSync(FOLDER)
    .filter((file) => /^[a-z0-9-]+\.ts$/.test(file))
    .map((file) => file.slice(0, -3))
    .sort()
}
