import { useState } from 'react'

export type AskTwiceProps = {
  readonly label: string
  /** What somebody should know before it is done. */
  readonly question: string
  readonly yes: string
  readonly no: string
  readonly isDanger?: boolean
  /** Resolves with what went wrong, or with nothing. */
  readonly act: () => Promise<string>
}

/** A button whose act is done once it was confirmed; what went wrong is said beside it. */
export function AskTwice({ label, question, yes, no, isDanger = false, act }: AskTwiceProps) {
  const [isAsked, setAsked] = useState(false)
  const [isBusy, setBusy] = useState(false)
  const [problem, setProblem] = useState('')
  const perform = async () => {
    setBusy(true)
    setProblem(await act())
    setBusy(false)
    setAsked(false)
  }
  return (
    <span className="ask-twice">
      {isAsked ? (
        <>
          <span>{question}</span>
          <button
            type="button"
            className={isDanger ? 'act red' : 'act primary'}
            disabled={isBusy}
            onClick={() => void perform()}
          >
            {yes}
          </button>
          <button type="button" className="act" disabled={isBusy} onClick={() => setAsked(false)}>
            {no}
          </button>
        </>
      ) : (
        <button type="button" className="act" onClick={() => setAsked(true)}>
          {label}
        </button>
      )}
      {problem !== '' && <span className="message">{problem}</span>}
    </span>
  )
}
