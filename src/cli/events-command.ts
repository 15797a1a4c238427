import type { Command } from 'commander'
import * as parse from './arguments.ts'
import type { ReplayArguments, SkipArguments, TailArguments } from './events-operation.ts'
import { examples } from './examples.ts'
import { TAIL_EVENTS_SHOWN } from './limits.ts'

type Exit = (code: number) => void

const JSON_OUTPUT = ['--json', 'print JSON for machines'] as const

/** `groundswell events topics|tail|replay|skip|pause|resume`: looking into the log, and moving groups in it. */
export function addEventOperations(events: Command, exit: Exit): void {
  addLooks(events, exit)
  addReplay(events, exit)
  addSkip(events, exit)
  addPause(events, exit, true)
  addPause(events, exit, false)
}

function addLooks(events: Command, exit: Exit): void {
  events
    .command('topics')
    .summary('show what the log holds')
    .description('Shows every topic: events ever written and still kept, those that are not due yet, who consumes it.')
    .option(...JSON_OUTPUT)
    .addHelpText('after', examples('groundswell events topics', 'groundswell events topics --json'))
    .action(async (options: { json?: boolean }) => {
      const { showTopics } = await import('./events-operation.ts')
      exit(await showTopics(options))
    })
  events
    .command('tail')
    .summary('follow a topic')
    .description('Shows the events of a topic as they come to the log, of all shards, until Ctrl-C.')
    .argument('<topic>', 'e.g. order.placed')
    .option('--key <key>', 'only events of this key')
    .option('--group <name>', 'begin with what this consumer group has not read yet')
    .option('--limit <count>', `end after so many (default: ${TAIL_EVENTS_SHOWN})`, parse.count)
    .option('--for <time>', 'end after this time, e.g. 30s', parse.duration)
    .option('--json', 'print a line of JSON for each event')
    .addHelpText(
      'after',
      examples(
        'groundswell events tail order.placed',
        'groundswell events tail order.placed --key 12345 --for 1m',
        'groundswell events tail order.placed --group email-service --limit 20 --json',
      ),
    )
    .action(async (topic: string, options: TailArguments) => {
      const { tailTopic } = await import('./events-operation.ts')
      exit(await tailTopic(topic, options))
    })
}

function addReplay(events: Command, exit: Exit): void {
  events
    .command('replay')
    .summary('deliver to a group again')
    .description(
      'Sends a consumer group to another place of the log: back, to have events again, or on, past what it missed. ' +
        'Handlers are told which events are replays; consumers with external calls pass them over unless they ask for them.',
    )
    .argument('<group>', 'consumer group: the name of a service')
    .requiredOption('--from <place>', 'earliest, latest, a time, a duration ago such as 2h, or an offset', parse.start)
    .option('--topic <name>', 'only of this topic')
    .option('--shard <number>', 'only what was written on this shard', parse.index)
    .option(
      '--as-new',
      'handlers take what comes again for new: mails are sent again, cards are charged under the same key',
    )
    .option(...JSON_OUTPUT)
    .addHelpText(
      'after',
      examples(
        'groundswell events replay email-service --from earliest',
        'groundswell events replay order-service --from 2026-11-25T18:00:00Z --topic payment.authorized',
        'groundswell events replay order-service --from 1200 --topic order.placed --shard 0',
        'To rebuild a projection: pause the group, empty its table, replay from earliest, resume.',
      ),
    )
    .action(async (group: string, options: ReplayArguments) => {
      const { replay } = await import('./events-operation.ts')
      exit(await replay(group, options))
    })
}

function addSkip(events: Command, exit: Exit): void {
  events
    .command('skip')
    .summary('go on without events that are lost')
    .description(
      'Moves a consumer group past records that the broker no longer has, as its EVENTS_OFFSET_EXPIRED names them; ' +
        'or ~broker, which forwards the log, past events that were dropped before they were forwarded.',
    )
    .argument('<group>', 'consumer group: the name of a service, or ~broker')
    .option('--shard <number>', 'shard whose log the records came from', parse.index)
    .option('--stream <topic/partition>', 'where the gap is; not for ~broker')
    .option('--to <offset>', 'where the broker goes on; not for ~broker', parse.index)
    .option(...JSON_OUTPUT)
    .addHelpText(
      'after',
      examples(
        'groundswell events skip email-service --shard 2 --stream order.placed/7 --to 41210',
        "groundswell events skip '~broker'",
      ),
    )
    .action(async (group: string, options: SkipArguments) => {
      const { skip } = await import('./events-operation.ts')
      exit(await skip(group, options))
    })
}

function addPause(events: Command, exit: Exit, paused: boolean): void {
  events
    .command(paused ? 'pause' : 'resume')
    .summary(paused ? 'stop delivering to a group' : 'deliver to a paused group again')
    .description(
      paused
        ? 'Stops the delivery to a consumer group in every process within a second, also of those that start later.'
        : 'Lets a consumer group go on where it was paused.',
    )
    .argument('<group>', 'consumer group: the name of a service')
    .option(...JSON_OUTPUT)
    .addHelpText('after', examples(`groundswell events ${paused ? 'pause' : 'resume'} email-service`))
    .action(async (group: string, options: { json?: boolean }) => {
      const { pause } = await import('./events-operation.ts')
      exit(await pause(group, { ...options, paused }))
    })
}
