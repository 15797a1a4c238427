import { type Command, Option } from 'commander'
import { EVENTS_ENGINES } from '../deploy/index.ts'
import * as parse from './arguments.ts'
import type { DeployArguments } from './deploy.ts'
import { examples } from './examples.ts'

const TARGETS = {
  kubernetes: 'a Deployment, Service and autoscaler for each service, the gateway, the console',
  compose: 'the same processes as containers on one machine, with PostgreSQL, Redis, Prometheus and a broker',
} as const

/** `groundswell deploy`: makes the files that run an application as a fleet, and checks them. */
export function addDeploy(program: Command, exit: (code: number) => void): void {
  const command = program.command('deploy').description('Writes, and checks, what runs an application as a fleet.')
  for (const [target, what] of Object.entries(TARGETS))
    addTarget(command, target as keyof typeof TARGETS, { what, exit })
  command
    .command('check')
    .summary('check manifests for what would go wrong')
    .description(
      'Reads the YAML files and the Dockerfile of a folder and reports what a cluster would accept but not run well.',
    )
    .argument('<folder>', 'what `groundswell deploy` wrote, changed by hand or not')
    .option('--json', 'print JSON for machines')
    .addHelpText('after', examples('groundswell deploy check build/kubernetes', 'Exit code 1: something was found.'))
    .action(async (folder: string, options: { json?: boolean }) => {
      const { deployCheck } = await import('./deploy-check.ts')
      exit(await deployCheck(folder, options))
    })
}

type Details = { readonly what: string; readonly exit: (code: number) => void }

function addTarget(command: Command, target: keyof typeof TARGETS, { what, exit }: Details): void {
  const made = command
    .command(target)
    .summary(`write ${target === 'compose' ? 'a Compose project' : 'manifests for Kubernetes'}`)
    .description(`Writes a Dockerfile and ${what}.`)
    .argument('<app>', 'file whose default export is the application')
    .requiredOption('--out <folder>', 'where to write')
    .option('--image <name:tag>', 'the image of every process (default: <app>:<version of package.json>)', parse.image)
    .option('--shards <count>', 'how many databases there are (default: 4)', parse.count, 4)
    .addOption(
      new Option('--events <engine>', 'what delivers events: the databases, or a broker by EVENTS_URL')
        .choices(EVENTS_ENGINES)
        .default('postgres'),
    )
    .option('--partitions <count>', 'partitions of each topic on the broker (default: 12)', parse.count, 12)
    .option('--force', 'overwrite files that somebody else wrote or changed')
    .option('--json', 'print JSON for machines')
  if (target === 'kubernetes') {
    made
      .addOption(
        new Option('--autoscaler <kind>', 'what scales consumers by their backlog')
          .choices(['hpa', 'keda'])
          .default('hpa'),
      )
      .option('--prometheus-url <url>', 'where KEDA asks', parse.baseUrl, 'http://prometheus.monitoring.svc:9090')
  }
  made
    .addHelpText('after', examples(`groundswell deploy ${target} examples/shop/app.ts --out build/${target}`))
    .action(async (app: string, options: DeployArguments) => {
      const { deploy } = await import('./deploy.ts')
      exit(await deploy(target, app, options))
    })
}
