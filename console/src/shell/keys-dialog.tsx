import type { RefObject } from 'react'
import { KEYS } from './keys.ts'

export type KeysDialogProps = {
  readonly dialog: RefObject<HTMLDialogElement | null>
  readonly views: readonly { readonly label: string; readonly key: string }[]
  readonly onClose: () => void
}

export function KeysDialog({ dialog, views, onClose }: KeysDialogProps) {
  return (
    <dialog ref={dialog} className="keys" aria-labelledby="keys-title">
      <h2 id="keys-title">Keys</h2>
      <dl>
        {KEYS.map(([key, meaning]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{meaning}</dd>
          </div>
        ))}
        {views.map(({ key, label }) => (
          <div key={key}>
            <dt>
              <kbd>g</kbd> <kbd>{key}</kbd>
            </dt>
            <dd>{label}</dd>
          </div>
        ))}
      </dl>
      <p>Drag over a chart to zoom in; double-click it, or press Esc, for live.</p>
      <button type="button" onClick={onClose}>
        Close
      </button>
    </dialog>
  )
}
