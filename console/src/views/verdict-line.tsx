import { useLive } from '../store/live.ts'

const UNKNOWN = { state: 'unknown', sentence: 'Waiting for the first second of measurements.' } as const

/** Characters of a headline that still fit one line of a laptop at full size. */
const HEADLINE_CHARACTERS = 70

/** The sentence that answers whether all is well, and beside it what it rests on. */
export function VerdictLine() {
  const { state } = useLive()
  const { state: health, sentence } = state?.verdict ?? UNKNOWN
  const [headline, facts] = parted(sentence)
  const size = headline.length > HEADLINE_CHARACTERS ? 'long' : ''
  return (
    <h1 className={`verdict ${health} ${size}`} role="status">
      <i aria-hidden="true" />
      <span>
        {headline}
        {facts !== '' && <small> {facts}</small>}
      </span>
    </h1>
  )
}

/** The first sentence, and what follows it. */
function parted(sentence: string): readonly [string, string] {
  const end = sentence.indexOf('. ')
  return end === -1 ? [sentence, ''] : [sentence.slice(0, end + 1), sentence.slice(end + 2)]
}
