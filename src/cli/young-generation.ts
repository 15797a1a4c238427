import { totalmem } from 'node:os'

/** Below the least, V8 takes as much by itself. */
const SEMI_SPACE_MIB_MIN = 96
const SEMI_SPACE_MIB_MAX = 256
/** The young generation is three times this part of the memory at most. */
const PARTS_OF_MEMORY = 64

/**
 * How large each half of V8's young generation may become, in MiB, in so many bytes of memory; undefined to leave that
 * to V8. What is under way under load outlives many collections of the size that V8 chooses: it is copied each time,
 * and at the limit that was a fifth of the processor time (docs/decisions/0018).
 */
export function semiSpaceMiB(memoryBytes: number): number | undefined {
  const mib = Math.min(SEMI_SPACE_MIB_MAX, Math.floor(memoryBytes / 2 ** 20 / PARTS_OF_MEMORY))
  return mib < SEMI_SPACE_MIB_MIN ? undefined : mib
}

/** Bytes that this process may take: the container's, or the machine's. */
export function memoryBytes(): number {
  const limit = process.constrainedMemory()
  // Without a limit that is 0, or more than any machine has.
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem()
}

/**
 * Begins this process anew, with its id, input and output, and with more room for what is young: V8 takes that setting
 * only when it starts, and how much is right only the machine tells. Does nothing where somebody has decided already,
 * where a debugger or a parent's channel would be lost, where a process cannot be replaced (Windows), and where no
 * service runs: little is under way in a gateway for long, so that it would only take the memory.
 */
export function makeRoomForTheYoung(): void {
  const { execArgv, argv, env, execPath } = process
  if (!hasServices(argv)) return
  const options = [...execArgv, env.NODE_OPTIONS ?? ''].join(' ')
  if (/semi.space.size|--inspect|--cpu-prof|--heap-prof/.test(options) || process.connected) return
  const mib = semiSpaceMiB(memoryBytes())
  if (mib === undefined || process.execve === undefined) return
  process.execve(execPath, [execPath, ...execArgv, `--max-semi-space-size=${mib}`, ...argv.slice(1)], env)
}

/** Parts of the platform that `--only` may name beside services. */
const PLATFORM_PARTS = ['gateway', 'console']

/** Whether a command line such as `start app.ts --only gateway` leaves any service to its process. */
export function hasServices(words: readonly string[]): boolean {
  const only = words.flatMap((word, index) => {
    if (word === '--only') return words[index + 1] ?? []
    return word.startsWith('--only=') ? word.slice('--only='.length) : []
  })
  const names = only.at(-1)?.split(',') ?? []
  return names.length === 0 || names.some((name) => !PLATFORM_PARTS.includes(name.trim()))
}
