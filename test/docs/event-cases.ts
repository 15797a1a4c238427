import { globSync, readFileSync } from 'node:fs'
import { join, sep } from 'node:path'

/**
 * What may go wrong around events, what must hold then, and where each engine shows it: files that have a test whose
 * name begins with `C3` and the number, or else why there is nothing to show. docs/events-cases.md is made from this,
 * and test/docs.test.ts fails when a test is gone or bears a number that is not listed here.
 */
type EventCase = {
  readonly number: number
  readonly happens: string
  readonly holds: string
} & Readonly<Record<Engine, readonly string[] | string>>

const ENGINES = { postgres: 'PostgreSQL', kafka: 'Kafka', rabbitmq: 'RabbitMQ' } as const
type Engine = keyof typeof ENGINES

/** Registered by the files of the engines, as the last case says. */
const CONTRACT = 'src/events/contract.ts'
const BROKERS = 'src/events/broker-contract.ts'
const DELIVERY = 'src/events/delivery.test.ts'
const RECOVERY = 'src/events/recovery.test.ts'
const REPLAY = 'src/events/replay.test.ts'
const SAGAS = ['src/events/saga.test.ts', 'src/events/saga-progress.test.ts']
const KAFKA = 'src/events/engines/kafka-faults.test.ts'
const RABBITMQ = ['src/events/engines/rabbitmq-faults.test.ts', 'src/events/engines/rabbitmq.test.ts'] as const
const OUTAGE = 'test/outage.test.ts'

const SAME_OUTBOX = 'the outbox, its check and its sequencer are those of PostgreSQL, whatever carries events on'
const SAME_TIMERS = 'timers and leases are in PostgreSQL, whatever carries events on'
const NO_BROKER = 'there is nothing between: the log is written by the transaction that empties the outbox'

const CASES: readonly EventCase[] = [
  {
    number: 1,
    happens: 'Eight writers pause before they commit, and one transaction in ten is rolled back',
    holds: 'a group sees exactly what was committed',
    ...everywhere(CONTRACT),
  },
  {
    number: 2,
    happens: 'A transaction with an early id commits last, while a third stays open',
    holds: 'the events of a key come in the order of its lock',
    ...everywhere(CONTRACT),
  },
  {
    number: 3,
    happens: 'A transaction stays open, here or in another database of the server',
    holds: 'no event but its own waits',
    ...everywhere(CONTRACT),
  },
  {
    number: 4,
    happens: 'The sequence of the outbox hands out numbers in advance',
    holds: 'the start is refused',
    postgres: ['src/events/engines/postgres-log.test.ts'],
    ...onBrokers(SAME_OUTBOX),
  },
  {
    number: 5,
    happens: 'A forwarder is killed between the broker’s acknowledgement and its position',
    holds: 'records repeat, effects do not',
    postgres: NO_BROKER,
    ...onBrokers([BROKERS]),
  },
  {
    number: 6,
    happens: 'A process is frozen past its lease and thawed while another has taken over',
    holds: 'what it still writes is refused or known, nothing is reordered',
    postgres: ['src/events/engines/postgres-log.test.ts', REPLAY, 'src/events/timers.test.ts'],
    ...onBrokers([BROKERS]),
  },
  {
    number: 7,
    happens: 'A consumer is killed after its effects are committed and before that is acknowledged',
    holds: 'each effect happens once',
    postgres: [RECOVERY],
    ...onBrokers([BROKERS]),
  },
  {
    number: 8,
    happens: 'A consumer is killed in the middle of a batch',
    holds: 'no part of it stays, and it is run again whole',
    postgres: ['src/events/killed-consumer.test.ts'],
    ...onBrokers([BROKERS]),
  },
  {
    number: 9,
    happens: 'A handler throws at one event of a thousand',
    holds: 'the others commit, that one is a dead letter, with about as many runs more as halving takes',
    postgres: [CONTRACT, DELIVERY],
    ...onBrokers([CONTRACT]),
  },
  {
    number: 10,
    happens: 'An event keeps failing while more of its key arrive',
    holds: 'they wait in order, other keys flow, and a redrive restores the order',
    postgres: [CONTRACT, DELIVERY],
    ...onBrokers([CONTRACT]),
  },
  {
    number: 11,
    happens: 'A dead letter is redriven twice at once',
    holds: 'it is processed once',
    postgres: [CONTRACT, DELIVERY],
    ...onBrokers([CONTRACT]),
  },
  {
    number: 12,
    happens: 'The broker, or without one the database server, is down under load',
    holds: 'a broker that is away refuses no order, a database does so clearly; nothing accepted is lost or reordered',
    postgres: [OUTAGE, 'src/events/server-crash.test.ts'],
    kafka: [OUTAGE, BROKERS],
    rabbitmq: [OUTAGE, BROKERS],
  },
  {
    number: 13,
    happens: 'The answer to an append is lost after the append',
    holds: 'no gap, and nothing twice in effect',
    postgres: [RECOVERY],
    ...onBrokers([BROKERS]),
  },
  {
    number: 14,
    happens: 'Processes of a group come and go',
    holds: 'nothing is lost, and no effect happens twice',
    postgres: [RECOVERY],
    ...onBrokers([BROKERS]),
  },
  {
    number: 15,
    happens: 'A group’s position is missing',
    holds: 'it begins at the oldest event that is kept unless it asks for the latest',
    postgres: [REPLAY],
    kafka: [KAFKA],
    rabbitmq:
      'a queue has no positions that could get lost: what is not acknowledged is in it, and what was removed is case 19',
  },
  {
    number: 16,
    happens: 'A client falls silent while its heartbeats go on',
    holds: 'it is noticed, told of, and replaced',
    postgres: 'workers ask by queries, and these end by their timeout; what is announced and not heard is case 26',
    ...onBrokers([BROKERS]),
  },
  {
    number: 17,
    happens: 'A record is returned again and again, or has no queue to go to',
    holds: 'it is a dead letter with its reason; a record without a queue is an error',
    postgres: 'there are no queues: attempts are counted by delivery, case 9',
    kafka: 'there are no queues: attempts are counted by delivery, case 9',
    rabbitmq: [RABBITMQ[1]],
  },
  {
    number: 18,
    happens: 'A connection is cut with a thousand records unconfirmed',
    holds: 'all are published again, and each has its effect once',
    postgres: NO_BROKER,
    kafka: 'a request is confirmed whole or not at all: case 13',
    rabbitmq: [RABBITMQ[1]],
  },
  {
    number: 19,
    happens: 'Events are removed before a group has read them',
    holds: 'the group stops with an error that says what it missed, until an operator moves it on',
    postgres: [REPLAY, 'src/events/retention.test.ts'],
    kafka: [KAFKA],
    rabbitmq: [RABBITMQ[0]],
  },
  {
    number: 20,
    happens: 'Events of old and of unknown versions arrive; somebody changes a schema',
    holds: 'old ones are upcast, unknown ones are dead letters, a breaking change is refused',
    postgres: [CONTRACT, 'src/events/upcast.test.ts', 'src/contracts/released.test.ts', 'src/cli/contracts.test.ts'],
    ...onBrokers([CONTRACT]),
  },
  {
    number: 21,
    happens: 'A payment succeeds after its saga has timed out and was compensated',
    holds: 'it is refunded once',
    postgres: SAGAS,
    ...onBrokers('a saga moves by a transaction of PostgreSQL, and its answers are events like all others'),
  },
  {
    number: 22,
    happens: 'A consumer is killed between a call and its record',
    holds: 'the call is made again under the same key, so that there is one charge',
    postgres: ['src/events/killed-consumer.test.ts'],
    ...onBrokers([BROKERS]),
  },
  {
    number: 23,
    happens: 'The clock of a process is five minutes off',
    holds: 'no timer fires early, and no lease is held twice',
    postgres: ['src/events/timers.test.ts'],
    ...onBrokers(SAME_TIMERS),
  },
  {
    number: 24,
    happens: 'A group is replayed from its first event',
    holds: 'no mail is sent again, and a projection is rebuilt to the byte',
    postgres: [REPLAY],
    ...onBrokers(['src/events/engines/broker-replay.test.ts']),
  },
  {
    number: 25,
    happens: 'Events come and go for long',
    holds: 'tables, dead tuples and memory stay flat',
    postgres: ['src/events/retention.test.ts'],
    ...onBrokers('what grows with time is the outbox and the log of PostgreSQL; the broker’s own retention is its own'),
  },
  {
    number: 26,
    happens: 'Notices get lost, or the connection that listens for them',
    holds: 'events come by polling, within about a quarter of a second',
    postgres: ['src/events/lost-notices.test.ts'],
    ...onBrokers('a forwarder follows the log as every worker of PostgreSQL does; readers of a broker await no notice'),
  },
]

/** Files that run a suite on an engine: the last case, that all three pass the same one. */
const RUNNERS: Readonly<Record<string, Partial<Record<Engine, string>>>> = {
  [CONTRACT]: {
    postgres: 'src/events/engines/postgres-log.test.ts',
    kafka: 'src/events/engines/kafka.test.ts',
    rabbitmq: 'src/events/engines/rabbitmq-contract.test.ts',
  },
  [BROKERS]: { kafka: KAFKA, rabbitmq: RABBITMQ[0] },
}

function everywhere(file: string): Record<Engine, readonly string[]> {
  return { postgres: [file], kafka: [file], rabbitmq: [file] }
}

function onBrokers<T>(shown: T): { readonly kafka: T; readonly rabbitmq: T } {
  return { kafka: shown, rabbitmq: shown }
}

/** What docs/events-cases.md shows: a section for each case, with the names of its tests. */
export function eventCases(root: string): string {
  const tests = numberedTests(root)
  const sections = CASES.map((one) => {
    const lines = [`### ${one.number}. ${one.happens}`, '', `Must hold: ${one.holds}.`, '']
    return [...lines, ...linesOf(one, tests)].join('\n')
  })
  const suites = Object.entries(RUNNERS).map(([suite, files]) => {
    const runners = Object.entries(files).map(([engine, file]) => `${linked(file)} (${ENGINES[engine as Engine]})`)
    return `- ${linked(suite)}: ${runners.join(', ')}`
  })
  const last = ['### 27. All engines pass one suite', '', 'Each file of a suite is run by:', '', ...suites]
  return [...sections, last.join('\n')].join('\n\n')
}

/** Engines that show a case in the same way share a line. */
function linesOf(one: EventCase, tests: readonly NumberedTest[]): readonly string[] {
  const byText = Map.groupBy(Object.keys(ENGINES) as Engine[], (engine) => shownOf(one, engine, tests))
  return [...byText].map(([text, engines]) => `- ${engines.map((engine) => ENGINES[engine]).join(', ')}: ${text}`)
}

function shownOf(one: EventCase, engine: Engine, tests: readonly NumberedTest[]): string {
  const shown = one[engine]
  if (typeof shown === 'string') return `*does not apply:* ${shown}`
  const ofFile = (file: string) => {
    const names = tests
      .filter((test) => test.file === file && test.number === one.number)
      .map(({ name }) => `“${name}”`)
    return `${linked(file)} ${names.join(', ')}`
  }
  return shown.map(ofFile).join('; ')
}

function linked(path: string): string {
  return `[${path.slice(path.lastIndexOf('/') + 1)}](../${path})`
}

/** What the list promises and the tests do not keep, or the other way round. */
export function eventCaseProblems(root: string): readonly string[] {
  const tests = numberedTests(root)
  const problems: string[] = []
  for (const [index, one] of CASES.entries())
    if (one.number !== index + 1) problems.push(`case ${index + 1} is missing`)
  const listed = new Set<string>()
  for (const one of CASES) {
    for (const engine of Object.keys(ENGINES) as Engine[]) {
      const files = typeof one[engine] === 'string' ? [] : one[engine]
      for (const file of files) {
        listed.add(`${file} ${one.number}`)
        const isThere = tests.some((test) => test.file === file && test.number === one.number)
        if (!isThere) problems.push(`${file} has no test named C3 ${one.number}, which shows it on ${ENGINES[engine]}`)
        const runner = RUNNERS[file]
        if (runner !== undefined && runner[engine] === undefined)
          problems.push(`nothing runs ${file} on ${ENGINES[engine]}`)
      }
    }
  }
  for (const { file, number, name } of tests) {
    if (!listed.has(`${file} ${number}`)) problems.push(`${file}: “C3 ${number}: ${name}” is not listed`)
  }
  return [...problems, ...runnerProblems(root)]
}

function runnerProblems(root: string): readonly string[] {
  return Object.entries(RUNNERS).flatMap(([suite, files]) => {
    const imported = `/${suite.slice(suite.lastIndexOf('/') + 1)}'`
    return Object.values(files)
      .filter((file) => !readFileSync(join(root, file), 'utf8').includes(imported))
      .map((file) => `${file} does not run ${suite}`)
  })
}

type NumberedTest = { readonly file: string; readonly number: number; readonly name: string }

function numberedTests(root: string): readonly NumberedTest[] {
  const files = ['src/**/*.test.ts', 'src/**/{*-,}contract.ts', 'test/*.test.ts'].flatMap((glob) =>
    globSync(glob, { cwd: root }).map((path) => path.replaceAll(sep, '/')),
  )
  return files.sort().flatMap((file) => {
    const text = readFileSync(join(root, file), 'utf8')
    return [...text.matchAll(/\b(?:test|inTest)\(\s*(['`])C3 (\d+)(?: in small)?: (.*?)\1,/g)].map((match) => {
      return { file, number: Number(match[2]), name: match[3] ?? '' }
    })
  })
}
