import { count, percent, text } from '../format.ts'
import { arcPath, type Share, type Slice, slicesOf } from './donut-slices.ts'

/** Shares of a whole with the worst in red, each with its name beside it. */
export function Donut({ shares, unit }: { readonly shares: readonly Share[]; readonly unit: string }) {
  const slices = slicesOf(shares)
  const total = shares.reduce((sum, { value }) => sum + value, 0)
  return (
    <div className="donut">
      <svg viewBox="0 0 120 120" role="img" aria-label={`${total} ${unit}: ${slices.map(sentenceOf).join(', ')}`}>
        <title>{unit}</title>
        {slices.map((slice) => (
          <path key={slice.label} className={`slice ${slice.color}`} d={arcPath(slice)} data-share={slice.label} />
        ))}
        <text x="60" y="60" className="donut-total">
          {text(count(total))}
        </text>
        <text x="60" y="75" className="donut-unit">
          {unit}
        </text>
      </svg>
      <ol className="donut-labels">
        {slices.map((slice) => (
          <li key={slice.label} className={slice.color === 'red' ? 'worst' : ''}>
            <i className={`swatch ${slice.color}`} />
            <span>{slice.label}</span>
            <b>{text(count(slice.value))}</b>
            <small>{slice.detail}</small>
          </li>
        ))}
      </ol>
    </div>
  )
}

/** The calm state: a whole ring, and a sentence. */
export function CalmDonut({ headline, detail }: { readonly headline: string; readonly detail: string }) {
  return (
    <div className="donut calm">
      <svg viewBox="0 0 120 120" aria-hidden="true">
        <circle cx="60" cy="60" r="47" className="calm-ring" />
        <path d="m46 61 10 10 19-21" className="calm-tick" />
      </svg>
      <p>
        <b>{headline}</b>
        <small>{detail}</small>
      </p>
    </div>
  )
}

function sentenceOf({ label, value, share }: Slice): string {
  return `${label} ${value} (${text(percent(share * 100))})`
}
