import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { accepts } from './accepts.ts'
import { findExecutable } from './executable-fixture.ts'
import { freePort } from './free-port.ts'
import { endProcess, type ServerProcess, startServerProcess, whenReady } from './server-process.ts'

/** A real RabbitMQ of a test's own, on free ports of loopback. */
export type RabbitMqServer = ServerProcess & {
  readonly url: string
  /**
   * Runs Erlang in the server and resolves with what it printed: the way to do what AMQP cannot, such as setting off
   * its memory alarm.
   */
  evaluate(expression: string): Promise<string>
  /** Ends it for good; a folder of its own is removed. */
  stop(): Promise<void>
}

export type RabbitMqServerOptions = {
  /** Where it keeps its data and finds them again. A temporary one when absent, which `stop` removes. */
  readonly folder?: string
}

/** Erlang and a RabbitMQ without plugins take 3 seconds to start on a fast machine, and many more on a busy one. */
const START_MS = 90_000

type Place = {
  readonly program: string
  readonly folder: string
  readonly port: number
  readonly distributionPort: number
  readonly epmdPort: number
}

/** Why a test that needs RabbitMQ cannot run here, for its `skip`; false when it can. */
export function rabbitMqMissing(): string | false {
  if (serverProgram() !== undefined && findExecutable('epmd') !== undefined) return false
  return 'no rabbitmq-server: install it, e.g. apt-get install rabbitmq-server or brew install rabbitmq'
}

export async function startRabbitMqServer(options: RabbitMqServerOptions = {}): Promise<RabbitMqServer> {
  const program = serverProgram()
  if (program === undefined) throw new Error(String(rabbitMqMissing()))
  const folder = resolve(options.folder ?? (await mkdtemp(join(tmpdir(), 'groundswell-rabbitmq-'))))
  await mkdir(folder, { recursive: true })
  const [port, distributionPort, epmdPort] = await Promise.all([freePort(), freePort(), freePort()])
  const place = { program, folder, port, distributionPort, epmdPort }
  await writeFile(join(folder, 'rabbitmq.conf'), configuration(port))
  await writeFile(join(folder, 'plugins'), '[].')
  const epmd = await startNameServer(epmdPort)
  try {
    const server = await startServerProcess(
      () => startServer(place),
      `RabbitMQ, whose log is in ${join(folder, 'log')},`,
    )
    return {
      ...server,
      url: `amqp://127.0.0.1:${port}`,
      evaluate: (expression) => evaluate(place, expression),
      async stop() {
        await (options.folder === undefined ? server.kill() : server.endInOrder())
        await endProcess(epmd)
        if (options.folder === undefined) await rm(folder, { recursive: true, force: true })
      },
    }
  } catch (error) {
    await endProcess(epmd)
    throw error
  }
}

/** What Debian has on the PATH changes user and folder; what that calls, in a folder beside it, does neither. */
function serverProgram(): string | undefined {
  return findExecutable('../lib/rabbitmq/bin/rabbitmq-server', 'rabbitmq-server')
}

function configuration(port: number): string {
  const lines = [`listeners.tcp.1 = 127.0.0.1:${port}`, 'num_acceptors.tcp = 2', 'log.file.level = warning']
  return `${lines.join('\n')}\n`
}

/**
 * Erlang's name server, in the foreground and on a port of its own: otherwise the server starts one for the whole
 * machine, which outlives it.
 */
async function startNameServer(port: number): Promise<ChildProcess> {
  const child = spawn('epmd', ['-port', `${port}`, '-address', '127.0.0.1'], { stdio: 'ignore', detached: true })
  return whenReady(child, () => accepts(port), { name: 'epmd' })
}

async function startServer(place: Place): Promise<ChildProcess> {
  const child = spawn(place.program, [], {
    stdio: 'ignore',
    cwd: place.folder,
    env: environment(place),
    // What a terminal sends on Ctrl-C is for whoever started it, who stops it last.
    detached: true,
  })
  return whenReady(child, () => accepts(place.port), { name: 'rabbitmq-server', timeoutMs: START_MS })
}

function environment({ folder, distributionPort, epmdPort }: Place): NodeJS.ProcessEnv {
  return {
    PATH: process.env.PATH,
    LANG: 'C.UTF-8',
    // Where Erlang keeps the cookie by which nodes and tools know each other.
    HOME: folder,
    ERL_EPMD_PORT: `${epmdPort}`,
    ERL_EPMD_ADDRESS: '127.0.0.1',
    // The script then becomes the server, rather than the parent of it: its PID is the one to end.
    RUNNING_UNDER_SYSTEMD: 'true',
    RABBITMQ_NODENAME: 'groundswell@localhost',
    RABBITMQ_DIST_PORT: `${distributionPort}`,
    RABBITMQ_MNESIA_BASE: join(folder, 'data'),
    RABBITMQ_LOG_BASE: join(folder, 'log'),
    RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq.conf'),
    RABBITMQ_CONF_ENV_FILE: join(folder, 'no-environment-file'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'plugins'),
    RABBITMQ_GENERATED_CONFIG_DIR: join(folder, 'generated'),
    // Two schedulers that sleep when idle: others use the machine too.
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '+S 2:2 +sbwt none',
  }
}

function evaluate(place: Place, expression: string): Promise<string> {
  const program = join(dirname(place.program), 'rabbitmqctl')
  const child = spawn(program, ['eval', expression], { cwd: place.folder, env: environment(place) })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => (code === 0 ? resolve(output) : reject(new Error(`rabbitmqctl: ${output}`))))
  })
}
