import { type Command, Option } from 'commander'
import * as parse from './arguments.ts'
import { examples } from './examples.ts'
import type { ExportArguments, ImportArguments } from './gateway.ts'

/** `groundswell gateway`: takes the gateway's configuration out, and brings one in. */
export function addGateway(program: Command, exit: (code: number) => void): void {
  const gateway = program.command('gateway').description('The configuration of a running gateway, as a file.')
  gateway
    .command('export')
    .summary('write the configuration for Kong or APISIX')
    .description('Writes what a running gateway is configured to do, as a file that another gateway starts from.')
    .addOption(new Option('--format <gateway>', 'whose file').choices(['kong', 'apisix']).default('kong'))
    .option('--out <file>', 'where to write (default: stdout)')
    .option('--admin-url <url>', 'its Admin API (default: http://localhost with ADMIN_PORT)', parse.baseUrl)
    .option('--json', 'print JSON for machines: the text, and what has no counterpart')
    .addHelpText(
      'after',
      examples(
        'groundswell gateway export --out kong.yml',
        'groundswell gateway export --format apisix > apisix.yaml',
        'The file holds the keys of consumers. What has no counterpart is listed on stderr.',
      ),
    )
    .action(async (options: ExportArguments) => {
      const { exportFile } = await import('./gateway.ts')
      exit(await exportFile(options))
    })
  gateway
    .command('import')
    .summary('bring in a configuration of Kong or APISIX')
    .description(
      'Brings what a file declares into a running gateway. It replaces what has the same name, and deletes nothing.',
    )
    .argument('<file>', 'Kong declarative file, or apisix.yaml')
    .option('--admin-url <url>', 'its Admin API (default: http://localhost with ADMIN_PORT)', parse.baseUrl)
    .option('--json', 'print JSON for machines')
    .addHelpText(
      'after',
      examples('groundswell gateway import kong.yml', 'groundswell gateway import apisix.yaml --json'),
    )
    .action(async (file: string, options: ImportArguments) => {
      const { importFile } = await import('./gateway.ts')
      exit(await importFile(file, options))
    })
}
