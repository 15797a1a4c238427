import { readFileSync } from 'node:fs'
import { Command, Option } from 'commander'
import * as parse from './arguments.ts'
import { addApi, addEventContracts, addSaga } from './contracts-command.ts'
import { addDeploy } from './deploy-command.ts'
import { addEventOperations } from './events-command.ts'
import { examples } from './examples.ts'
import { addGateway } from './gateway-command.ts'
import { DEAD_LETTERS_SHOWN } from './limits.ts'

/**
 * The command line: what there is, with an example each. What commands do is in a file each, imported when it runs, so
 * that `--help` answers at once. `exit` gets the exit code of the command that ran; `environment` are the lines of
 * `start --help` about the environment.
 */
export function createProgram(exit: Exit, environment: readonly string[]): Command {
  const program = new Command('groundswell')
    .description('Runs an application of services: as one process on a laptop, or as a fleet.')
    .version(packageVersion(), '-V, --version')
    .showSuggestionAfterError()
    .showHelpAfterError('(--help shows an example)')
    .enablePositionalOptions()
    .exitOverride()
  addStart(program, exit, environment)
  addDeploy(program, exit)
  addGateway(program, exit)
  addShards(program, exit)
  addEvents(program, exit)
  addApi(program, exit)
  addLoad(program, exit)
  addBench(program, exit)
  return program
}

type Exit = (code: number) => void

const BROKERS = ['kafka', 'rabbitmq'] as const

const JSON_READY = ['--json', 'when ready, print one line of JSON with the addresses'] as const
const JSON_OUTPUT = ['--json', 'print JSON for machines'] as const

function addStart(program: Command, exit: Exit, environment: readonly string[]): void {
  program
    .command('start')
    .summary('start an application')
    .description(
      'Starts the application that <app> exports, with everything it needs, and runs until it is told to stop.',
    )
    .argument('<app>', 'file whose default export is the application')
    .option(
      '--only <names>',
      'run only these services, or gateway, or console (names,separated,by,commas)',
      parse.names,
    )
    .addOption(
      new Option(
        '--events <broker>',
        'start a real broker beside it and send events through it; its data are in DATA_DIR',
      ).choices(BROKERS),
    )
    .option(...JSON_READY)
    .addHelpText(
      'after',
      examples(
        'groundswell start examples/shop/app.ts',
        'groundswell start examples/shop/app.ts --only order-service,gateway',
        'groundswell start examples/shop/app.ts --events kafka',
        ...environment,
      ),
    )
    .action(async (app: string, options: import('./start.ts').StartArguments) => {
      const { start } = await import('./start.ts')
      exit(await start(app, options))
    })
  addDev(program, exit)
  program
    .command('database')
    .summary('start the embedded PostgreSQL alone')
    .description('Starts the embedded PostgreSQL alone, for services that run apart on one machine.')
    .option(...JSON_READY)
    .addHelpText('after', examples('groundswell database', 'SHARDS=8 DATA_DIR=.eight groundswell database'))
    .action(async (options: { json?: boolean }) => {
      const { database } = await import('./database.ts')
      exit(await database(options))
    })
  program
    .command('kafka')
    .summary('start an Apache Kafka for development')
    .description('Starts an Apache Kafka of one node for development, and prints the EVENTS_URL for it. Keeps nothing.')
    .option(...JSON_READY)
    .addHelpText('after', examples('groundswell kafka', 'groundswell kafka --json'))
    .action(async (options: { json?: boolean }) => {
      const { kafka } = await import('./kafka.ts')
      exit(await kafka(options))
    })
}

function addDev(program: Command, exit: Exit): void {
  program
    .command('dev')
    .summary('start an application, and again when its files change')
    .description(
      'As `start`, and starts the application anew when a file in its folder, or in one below that, changes.',
    )
    .argument('<app>', 'file whose default export is the application')
    .addOption(
      new Option('--events <broker>', 'start a real broker beside it, which stays over restarts').choices(BROKERS),
    )
    .addHelpText(
      'after',
      examples('groundswell dev examples/shop/app.ts', 'groundswell dev examples/shop/app.ts --events kafka'),
    )
    .action(async (app: string, options: import('./dev.ts').DevArguments) => {
      const { dev } = await import('./dev.ts')
      exit(await dev(app, options))
    })
}

function addShards(program: Command, exit: Exit): void {
  const shards = program.command('shards').description('Where data lives.')
  shards
    .command('locate')
    .summary('say where the rows of a key are')
    .description('Says which bucket and shard a key has. When nothing runs: in a fresh directory of SHARDS shards.')
    .argument('<keys...>', 'user ids, or text keys')
    .option('--text', 'take digits for text too')
    .option(...JSON_OUTPUT)
    .addHelpText('after', examples('groundswell shards locate 12345', 'groundswell shards locate 12345 54321 --json'))
    .action(async (keys: readonly string[], options: { text?: boolean; json?: boolean }, command: Command) => {
      const { locate } = await import('./shards.ts')
      // Checked here so that a bad key is an error of usage.
      if (!options.text) for (const key of keys) checked(command, () => parse.shardingKey(key))
      exit(await locate(keys, options))
    })
  shards
    .command('list')
    .summary('list the shards')
    .description('Lists the shards with their databases and how many buckets each has.')
    .option(...JSON_OUTPUT)
    .addHelpText('after', examples('groundswell shards list'))
    .action(async (options: { json?: boolean }) => {
      const { list } = await import('./shards.ts')
      exit(await list(options))
    })
}

function addEvents(program: Command, exit: Exit): void {
  const events = program.command('events').description('The event log: who is behind, and what failed.')
  addEventContracts(events, exit)
  addSaga(events, exit)
  events
    .command('lag')
    .summary('show how far consumers are behind')
    .description('Shows how many events each consumer group has still to process, and for how long the oldest waits.')
    .option('--group <name>', 'only of this consumer group')
    .option('--by-shard', 'a line for each shard')
    .option(...JSON_OUTPUT)
    .addHelpText('after', examples('groundswell events lag', 'groundswell events lag --by-shard'))
    .action(async (options: { json?: boolean; byShard?: boolean; group?: string }) => {
      const { showLag } = await import('./events.ts')
      exit(await showLag(options))
    })
  events
    .command('dlq')
    .summary('show dead letters')
    .description('Shows events that exhausted their attempts. Later events of the same key wait behind them.')
    .option('--group <name>', 'only of this consumer group')
    .option('--limit <count>', `at most so many (default: ${DEAD_LETTERS_SHOWN}, at most 1000)`, parse.count)
    .option(...JSON_OUTPUT)
    .addHelpText('after', examples('groundswell events dlq', 'groundswell events dlq --group email-service --json'))
    .action(async (options: { json?: boolean; group?: string; limit?: number }) => {
      const { showDeadLetters } = await import('./events.ts')
      exit(await showDeadLetters(options))
    })
  events
    .command('redrive')
    .summary('try dead letters again')
    .description('Gives dead letters another series of attempts, each once; the events behind them follow in order.')
    .option('--group <name>', 'only of this consumer group')
    .option('--id <event>', 'only the event with this id', parse.uuid)
    .option(...JSON_OUTPUT)
    .addHelpText('after', examples('groundswell events redrive', 'groundswell events redrive --group email-service'))
    .action(async (options: { json?: boolean; group?: string; id?: string }) => {
      const { redriveDeadLetters } = await import('./events.ts')
      exit(await redriveDeadLetters(options))
    })
  addEventOperations(events, exit)
}

function addLoad(program: Command, exit: Exit): void {
  program
    .command('load')
    .summary('put load on a running application')
    .description(
      'Sends the requests of a scenario when they are due, whatever the answers do, and measures each from then on.',
    )
    .argument('<scenario>', 'file whose default export is a scenario')
    .option('--rate <number>', 'requests per second', parse.rate)
    .option('--duration <time>', 'how long, e.g. 30s (default: 30s)', parse.duration)
    .addOption(new Option('--arrivals <kind>', 'evenly spaced, or at random').choices(['fixed', 'poisson']))
    .option('--burst <count>', 'this many requests at once instead of a rate', parse.count)
    .option('--seed <number>', 'seed of random arrivals (default: 1)', parse.count)
    .option('--url <url>', 'the gateway (default: http://127.0.0.1 with GATEWAY_PORT)', parse.plainBaseUrl)
    .option('--admin-url <url>', 'its Admin API (default: http://127.0.0.1 with ADMIN_PORT)', parse.plainBaseUrl)
    .option('--connections <count>', 'most unanswered requests at once (default: 1000)', parse.count)
    .option('--timeout <time>', 'time for an answer (default: 10s)', parse.duration)
    .option('--set <name=value>', 'a setting of the scenario; may be repeated', parse.setting)
    .option(...JSON_OUTPUT)
    .addHelpText(
      'after',
      examples(
        'groundswell load examples/shop/load/orders.ts --rate 2000 --duration 30s',
        'groundswell load examples/shop/load/flash-sale.ts --set stock=1000',
        'Exit code 1: the scenario found a problem, or no answer was right.',
      ),
    )
    .action(async (scenario: string, options: import('./load.ts').LoadArguments) => {
      const { load } = await import('./load.ts')
      exit(await load(scenario, options))
    })
}

function addBench(program: Command, exit: Exit): void {
  program
    .command('bench')
    .summary('run a benchmark of this repository')
    .description('Runs bench/<name>.ts. What follows the name goes to the benchmark; it has a --help of its own.')
    .argument('<name>', 'e.g. orders')
    .argument('[arguments...]', 'for the benchmark')
    .passThroughOptions()
    .allowUnknownOption()
    .addHelpText('after', examples('groundswell bench orders', 'groundswell bench orders --seconds 10 --json'))
    .action(async (name: string, args: readonly string[]) => {
      const { bench } = await import('./bench.ts')
      exit(await bench(name, args))
    })
}

function checked(command: Command, check: () => void): void {
  try {
    check()
  } catch (error) {
    command.error(`error: ${error instanceof Error ? error.message : String(error)}`, { exitCode: 2 })
  }
}

function packageVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
