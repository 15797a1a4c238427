import { Sparkline } from '../charts/sparkline.tsx'
import type { Quantity } from '../format.ts'
import { Figure } from './figure.tsx'

export type KeyFigure = {
  readonly label: string
  readonly quantity: Quantity
  readonly detail: string
  readonly tone?: string | undefined
  /** Column of the sparkline. */
  readonly spark?: string | undefined
}

/** The numbers that one looks at first, each with its course. */
export function FigureList({ figures }: { readonly figures: readonly KeyFigure[] }) {
  return (
    <dl className="key-figures">
      {figures.map(({ label, quantity, detail, tone, spark }) => (
        <div key={label}>
          <dt>{label}</dt>
          <dd>
            <Figure quantity={quantity} {...(tone === undefined ? {} : { tone })} />
            {spark !== undefined && <Sparkline name={spark} />}
            <small>{detail}</small>
          </dd>
        </div>
      ))}
    </dl>
  )
}
