import { useLive } from '../store/live.ts'

const UNKNOWN = { state: 'unknown', sentence: 'Waiting for the first second of measurements.' } as const

/** The sentence that answers whether all is well. */
export function VerdictLine() {
  const { state } = useLive()
  const { state: health, sentence } = state?.verdict ?? UNKNOWN
  return (
    <h1 className={`verdict ${health}`} role="status">
      <i aria-hidden="true" />
      <span>{sentence}</span>
    </h1>
  )
}
