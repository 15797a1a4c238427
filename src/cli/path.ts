import { cliError } from './errors.ts'

/**
 * Reads or writes at a path that the user gave with `option`. What the file system refuses is an operating error of one
 * line, CLI_PATH_UNUSABLE; everything else that `work` throws passes.
 */
export async function atPath<Result>(path: string, option: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof Error && 'syscall' in error)) throw error
    const message = `${path} cannot be used (${error.message}): name another place with ${option}`
    throw cliError('CLI_PATH_UNUSABLE', message, { cause: error })
  }
}
