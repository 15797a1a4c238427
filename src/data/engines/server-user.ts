import { execFile } from 'node:child_process'
import { chown, readFile, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { promisify } from 'node:util'
import { dataError } from '../errors.ts'
import type { PostgresBinaries } from './postgres-binaries.ts'

/**
 * PostgreSQL refuses to run as root. Started by root, it therefore runs as an unprivileged user that the machine
 * already has (nothing is created): the owner of an existing data folder, else `postgres`, else `nobody`.
 */
export type ServerUser = {
  /** How to start one of its programs. */
  command(
    program: string,
    args: readonly string[],
  ): {
    readonly file: string
    readonly args: readonly string[]
    readonly ids: { readonly uid: number; readonly gid: number } | object
  }
  /** Gives it a file or folder of ours. */
  own(path: string): Promise<void>
}

type Capability = 'dac_read_search' | 'dac_override'
type Account = { readonly name: string; readonly uid: number; readonly gid: number }

const run = promisify(execFile)

/** `dataDir` and the folder around it must exist. Throws DATA_DIR_UNREACHABLE when the user cannot get at them. */
export async function serverUser(binaries: PostgresBinaries, dataDir: string): Promise<ServerUser> {
  if (process.getuid?.() !== 0) {
    return { command: (file, args) => ({ file, args, ids: {} }), own: async () => {} }
  }
  const account = await chooseAccount(dataDir)
  const needed = await neededCapabilities(account, binaries, dataDir)
  const capability = needed.length === 0 ? undefined : await firstGrantable(account, needed, { binaries, dataDir })
  return {
    command: (file, args) => commandAs(account, capability, { file, args }),
    own: (path) => chown(path, account.uid, account.gid),
  }
}

async function chooseAccount(dataDir: string): Promise<Account> {
  const accounts = (await readFile('/etc/passwd', 'utf8')).split('\n').map(parseAccount)
  const owner = await stat(dataDir)
  const wanted = [
    accounts.find((account) => owner.uid !== 0 && account?.uid === owner.uid),
    accounts.find((account) => account?.name === 'postgres'),
    accounts.find((account) => account?.name === 'nobody'),
  ].find((account) => account !== undefined && account.uid !== 0)
  if (wanted !== undefined) return wanted
  throw dataError(
    'DATA_ENGINE_UNSUPPORTED',
    'PostgreSQL refuses to run as root, and there is no user postgres or nobody to run it as: start as an ordinary user',
  )
}

function parseAccount(line: string): Account | undefined {
  const [name = '', , uid, gid] = line.split(':')
  return name === '' ? undefined : { name, uid: Number(uid), gid: Number(gid) }
}

/**
 * A clone under /root (mode 700) hides both programs and data from any other user. One capability gets past that. The
 * lesser reads and passes through folders only; the greater also executes what the mode forbids (umask 077), and is the
 * one of the two that Docker gives to root. Answers those that would do, the lesser first; none when nothing is hidden.
 */
async function neededCapabilities(
  account: Account,
  binaries: PostgresBinaries,
  dataDir: string,
): Promise<readonly Capability[]> {
  for (const program of [binaries.postgres, binaries.initdb]) {
    if (!(await allows(account, program))) return ['dac_override']
  }
  const folders = [...ancestors(binaries.postgres), ...ancestors(dataDir)]
  for (const folder of folders) {
    if (!(await allows(account, folder))) return ['dac_read_search', 'dac_override']
  }
  return []
}

/** Whether the mode lets the account execute the file, or pass through the folder. */
async function allows(account: Account, path: string): Promise<boolean> {
  const { mode, uid, gid } = await stat(path)
  if (uid === account.uid) return (mode & 0o100) !== 0
  if (gid === account.gid) return (mode & 0o010) !== 0
  return (mode & 0o001) !== 0
}

function ancestors(path: string): string[] {
  const folders: string[] = []
  for (let folder = dirname(resolve(path)); ; folder = dirname(folder)) {
    folders.push(folder)
    if (folder === dirname(folder)) return folders
  }
}

/** The first capability with which the account can in fact execute PostgreSQL, tried rather than assumed. */
async function firstGrantable(
  account: Account,
  capabilities: readonly Capability[],
  { binaries, dataDir }: { readonly binaries: PostgresBinaries; readonly dataDir: string },
): Promise<Capability> {
  let cause: unknown
  for (const capability of capabilities) {
    const probe = commandAs(account, capability, { file: 'test', args: ['-x', binaries.initdb] })
    try {
      await run(probe.file, [...probe.args])
      return capability
    } catch (error) {
      cause = error
    }
  }
  throw dataError(
    'DATA_DIR_UNREACHABLE',
    `PostgreSQL runs as user ${account.name}, who cannot reach ${dataDir} or its own programs: ` +
      'set DATA_DIR to a reachable folder such as /var/tmp/groundswell, with the project outside of /root',
    { cause },
  )
}

function commandAs(
  account: Account,
  capability: Capability | undefined,
  { file, args }: { readonly file: string; readonly args: readonly string[] },
) {
  if (capability === undefined) return { file, args, ids: { uid: account.uid, gid: account.gid } }
  const ids = [`--reuid=${account.uid}`, `--regid=${account.gid}`, '--clear-groups']
  const grants = [`--inh-caps=+${capability}`, `--ambient-caps=+${capability}`]
  // PostgreSQL looks for its programs with access(2), which forgets capabilities unless this bit is set.
  return { file: 'setpriv', args: [...ids, '--securebits=+no_setuid_fixup', ...grants, '--', file, ...args], ids: {} }
}
