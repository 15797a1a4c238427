import { useState } from 'react'
import type { ShownDeadLetter } from '../../../src/console/index.ts'
import { ago, count, dayTime, text } from '../format.ts'
import { Empty } from '../parts/panel.tsx'
import { useLive } from '../store/live.ts'
import { hrefOf } from '../store/router.ts'
import { RedriveAll } from './group-drawer.tsx'
import { redrive } from './operations.ts'

export type DeadLettersProps = {
  readonly letters: readonly ShownDeadLetter[]
  /** How many there are of each group, also of those that are not listed. */
  readonly deadByGroup: ReadonlyMap<string, number>
}

/** Events that exhausted their attempts, by group, the latest first. */
export function DeadLetters({ letters, deadByGroup }: DeadLettersProps) {
  if (letters.length === 0) {
    return deadByGroup.size === 0 ? (
      <Empty headline="No dead letters">Every event was handled, or is still being tried.</Empty>
    ) : (
      <Empty headline="No dead letter fits">Change the filter to see the others.</Empty>
    )
  }
  return [...Map.groupBy(letters, ({ group }) => group)].map(([group, ofGroup]) => {
    const dead = deadByGroup.get(group) ?? ofGroup.length
    return (
      <section key={group} className="dead-group" aria-label={`Dead letters of ${group}`}>
        <header>
          <h3>{group}</h3>
          <span className="quiet">
            {text(count(dead))} {dead === 1 ? 'dead letter' : 'dead letters'}
            {dead > ofGroup.length && `, ${ofGroup.length} listed`}
          </span>
          <RedriveAll group={group} dead={dead} />
        </header>
        <ol>
          {ofGroup.map((letter) => (
            <Letter key={letter.id} letter={letter} />
          ))}
        </ol>
      </section>
    )
  })
}

function Letter({ letter }: { readonly letter: ShownDeadLetter }) {
  const { range } = useLive()
  const { topic, key, error, attempts, waiting, lastFailedAtMs } = letter
  return (
    <li className="dead-letter">
      <details>
        <summary>
          <span className="quiet" title={dayTime(lastFailedAtMs)}>
            {ago(lastFailedAtMs, range.toMs)}
          </span>
          <b>{topic}</b>
          <span>
            <span className="quiet">key</span> {key}
          </span>
          <span className="cause" title={error}>
            {firstLine(error)}
          </span>
          <span className="quiet">{attempts} attempts</span>
          <span className={waiting > 0 ? 'orange-ink' : 'quiet'}>
            {waiting === 0 ? 'none' : text(count(waiting))} behind it
          </span>
        </summary>
        <LetterDetails letter={letter} />
      </details>
      <RedriveOne letter={letter} />
    </li>
  )
}

function LetterDetails({ letter }: { readonly letter: ShownDeadLetter }) {
  const { error, id, version, source, offset, traceId, firstFailedAtMs, lastFailedAtMs, payload, isPayloadCut } = letter
  const facts: readonly (readonly [name: string, value: React.ReactNode])[] = [
    ['event', id],
    ['version', version],
    ['log', `shard ${source}, offset ${offset}`],
    ['first failed', dayTime(firstFailedAtMs)],
    ['last failed', dayTime(lastFailedAtMs)],
    ['trace', traceId === undefined ? 'not kept' : <TraceLink key={traceId} traceId={traceId} />],
  ]
  return (
    <div className="letter-details">
      <div>
        <pre className="code red-ground">{error}</pre>
        <dl className="facts">
          {facts.map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      </div>
      <div>
        <pre className="code">{payload}</pre>
        {isPayloadCut && <p className="quiet">cut off here: groundswell events dlq --json prints all of it</p>}
      </div>
    </div>
  )
}

function TraceLink({ traceId }: { readonly traceId: string }) {
  return (
    <a className="more" href={hrefOf('traces', traceId)}>
      {traceId.slice(0, 12)}… →
    </a>
  )
}

/** Acts at once: an event that is redriven too early comes back here, and has done nothing twice. */
function RedriveOne({ letter: { group, id } }: { readonly letter: ShownDeadLetter }) {
  const [problem, setProblem] = useState('')
  const [isBusy, setBusy] = useState(false)
  const perform = async () => {
    setBusy(true)
    setProblem(await redrive(group, id))
    setBusy(false)
  }
  return (
    <span className="redrive-one">
      {problem !== '' && <span className="message">{problem}</span>}
      <button type="button" className="act" disabled={isBusy} onClick={() => void perform()}>
        Redrive
      </button>
    </span>
  )
}

function firstLine(error: string): string {
  return error.split('\n', 1)[0] ?? ''
}
