import { type ReactNode, useEffect, useRef } from 'react'

export type DrawerProps = { readonly title: string; readonly onClose: () => void; readonly children: ReactNode }

/** What is looked at or changed beside the page, which goes on being seen. Gives the focus back when it is closed. */
export function Drawer({ title, onClose, children }: DrawerProps) {
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => {
    const before = document.activeElement
    heading.current?.focus()
    return () => (before instanceof HTMLElement ? before.focus() : undefined)
  }, [])
  return (
    <aside
      className="drawer"
      role="dialog"
      aria-label={title}
      onKeyDown={(event) => {
        if (event.key !== 'Escape') return
        event.stopPropagation()
        onClose()
      }}
    >
      <header>
        <h2 ref={heading} tabIndex={-1}>
          {title}
        </h2>
        <button type="button" className="icon" onClick={onClose} aria-label="Close" title="Close (Esc)">
          ✕
        </button>
      </header>
      {children}
    </aside>
  )
}
