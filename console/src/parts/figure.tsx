import type { Quantity } from '../format.ts'

/** A value with its unit, smaller. */
export function Figure({ quantity: { value, unit }, tone }: { readonly quantity: Quantity; readonly tone?: string }) {
  return (
    <span className={`figure ${tone ?? ''}`}>
      {value}
      {unit !== '' && <small>{unit === '/s' || unit === '%' ? unit : `\u202f${unit}`}</small>}
    </span>
  )
}

/** A share of something full as a bar, with words beside it. */
export function Meter({ share, label }: { readonly share: number; readonly label: string }) {
  const tone = share > 0.9 ? 'red' : share > 0.8 ? 'orange' : ''
  return (
    <span className="meter">
      <span className="meter-track">
        <i className={tone} style={{ width: `${Math.min(100, share * 100)}%` }} />
      </span>
      <span className="figure">{label}</span>
    </span>
  )
}
