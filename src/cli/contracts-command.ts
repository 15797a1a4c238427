import type { Command } from 'commander'
import * as parse from './arguments.ts'
import { examples } from './examples.ts'

type Exit = (code: number) => void

const APP = ['<app>', 'file whose default export is the application'] as const
const JSON_OUTPUT = ['--json', 'print JSON for machines'] as const
const OUT = ['--out <file>', 'write there instead of printing'] as const
const FILE = ['--file <file>', 'the released schemas (default: events.lock.json beside the application)'] as const

/** `groundswell events check|release|docs`: what the application's events promise others. */
export function addEventContracts(events: Command, exit: Exit): void {
  events
    .command('check')
    .summary('refuse changes of events that would break somebody')
    .description('Compares the schemas of all events with the released ones, in both directions.')
    .argument(...APP)
    .option(...FILE)
    .option(...JSON_OUTPUT)
    .addHelpText(
      'after',
      examples(
        'groundswell events check examples/shop/app.ts',
        'Exit code 1: what was written would not be read any more, or the last release could not read what is written.',
      ),
    )
    .action(async (app: string, options: import('./contracts.ts').CheckArguments) => {
      const { checkContracts } = await import('./contracts.ts')
      exit(await checkContracts(app, options))
    })
  events
    .command('release')
    .summary('write down the schemas of events as released')
    .description(
      'Writes the schemas of all events into the file that `check` compares with. Keep it under version control.',
    )
    .argument(...APP)
    .option(...FILE)
    .option('--force', 'even if that breaks somebody, and forget what is not declared any more')
    .option(...JSON_OUTPUT)
    .addHelpText('after', examples('groundswell events release examples/shop/app.ts'))
    .action(async (app: string, options: import('./contracts.ts').ReleaseArguments) => {
      const { release } = await import('./contracts.ts')
      exit(await release(app, options))
    })
  events
    .command('docs')
    .summary('describe the events as AsyncAPI 3.0')
    .description('Describes topics, messages, and who sends and receives them, as an AsyncAPI 3.0 document.')
    .argument(...APP)
    .option(...OUT)
    .addHelpText('after', examples('groundswell events docs examples/shop/app.ts --out asyncapi.json'))
    .action(async (app: string, options: import('./contracts.ts').DocumentArguments) => {
      const { describeEvents } = await import('./contracts.ts')
      exit(await describeEvents(app, options))
    })
}

/** `groundswell events saga`: where one saga stands. */
export function addSaga(events: Command, exit: Exit): void {
  events
    .command('saga')
    .summary('show where a saga stands')
    .description('Shows the state of each action of one saga, and what it heard, in order.')
    .argument(...APP)
    .argument('<saga>', 'its name')
    .argument('<id>', 'its id')
    .option(...JSON_OUTPUT)
    .addHelpText(
      'after',
      examples('groundswell events saga examples/trips/app.ts trip 01997d5e-0000-7000-8000-0000000008d9'),
    )
    .action(async (app: string, saga: string, id: string, options: { json?: boolean }) => {
      const { showSaga } = await import('./saga.ts')
      exit(await showSaga(app, { saga, id, json: options.json === true }))
    })
}

/** `groundswell api docs`: what the application's routes promise. */
export function addApi(program: Command, exit: Exit): void {
  const api = program.command('api').description('The routes of an application.')
  api
    .command('docs')
    .summary('describe the routes as OpenAPI 3.1')
    .description('Describes the routes that clients may call, as an OpenAPI 3.1 document.')
    .argument(...APP)
    .option('--url <url>', 'where clients reach the gateway', parse.baseUrl, 'http://127.0.0.1:8000')
    .option(...OUT)
    .addHelpText('after', examples('groundswell api docs examples/shop/app.ts --out openapi.json'))
    .action(async (app: string, options: import('./contracts.ts').DocumentArguments & { url: string }) => {
      const { describeRoutes } = await import('./contracts.ts')
      exit(await describeRoutes(app, options))
    })
}
