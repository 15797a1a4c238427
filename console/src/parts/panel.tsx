import type { ReactNode } from 'react'

export type PanelProps = {
  readonly title: string
  readonly area?: string
  /** A line beside the title: what the figures are about. */
  readonly note?: ReactNode
  readonly actions?: ReactNode
  readonly children: ReactNode
}

/** One field of the ruled sheet that a view is. */
export function Panel({ title, area, note, actions, children }: PanelProps) {
  const id = `panel-${title.toLowerCase().replaceAll(/\W+/g, '-')}`
  return (
    <section className={`panel ${area ?? ''}`} aria-labelledby={id}>
      <header>
        <h2 id={id}>{title}</h2>
        {note !== undefined && <span className="note">{note}</span>}
        {actions}
      </header>
      {children}
    </section>
  )
}

/** Why there is nothing to see, and what would change that. */
export function Empty({ headline, children }: { readonly headline: string; readonly children?: ReactNode }) {
  return (
    <div className="empty">
      <b>{headline}</b>
      {children !== undefined && <p>{children}</p>}
    </div>
  )
}
