import { useCallback, useEffect, useRef } from 'react'
import { clockTime } from '../format.ts'
import { setTimeView, togglePause, useLive } from '../store/live.ts'
import { hrefOf, useAddress } from '../store/router.ts'
import { SPANS } from '../store/time-view.ts'
import { useKeys } from './keys.ts'
import { KeysDialog } from './keys-dialog.tsx'
import { toggleTheme, useTheme } from './theme.ts'
import { VIEWS } from './views.tsx'

const JUMPS = new Map(VIEWS.map(({ key, id }) => [key, id]))

/** The frame around the views: where one is, what time is shown, and the way elsewhere. */
export function App() {
  const { view: id } = useAddress()
  const { topology, state } = useLive()
  const help = useRef<HTMLDialogElement>(null)
  const toggleHelp = useCallback(() => {
    if (help.current?.open === true) help.current.close()
    else help.current?.showModal()
  }, [])
  useKeys({ jumps: JUMPS, onHelp: toggleHelp })
  const view = VIEWS.find((one) => one.id === id) ?? VIEWS[0]
  const firing = state?.alerts.filter((alert) => alert.state === 'firing').length ?? 0

  useEffect(() => {
    const mark = state?.verdict.state === 'healthy' || state === undefined ? '' : '● '
    document.title = `${mark}${view?.label ?? ''} · ${topology?.app ?? 'Groundswell'}`
  }, [view, topology, state])

  return (
    <>
      <button type="button" className="skip" onClick={focusMain}>
        Skip to the content
      </button>
      <header className="bar">
        <a className="mark" href={hrefOf('overview')} aria-label="Groundswell, overview">
          <svg viewBox="0 0 32 32" aria-hidden="true">
            <path d="M3 21c4 0 4-6 8-6s4 6 8 6 4-12 10-12" />
          </svg>
          <b>Groundswell</b>
          <span>{topology?.app}</span>
        </a>
        <nav aria-label="Views">
          {VIEWS.map((one) => (
            <a key={one.id} href={hrefOf(one.id)} aria-current={one.id === view?.id ? 'page' : undefined}>
              {one.label}
              {one.id === 'alerts' && firing > 0 && <em>{firing}</em>}
            </a>
          ))}
        </nav>
        <TimeControls />
        <ThemeButton />
        <button type="button" className="icon" onClick={toggleHelp} aria-label="Keys" title="Keys (?)">
          ?
        </button>
      </header>
      <ConnectionLine />
      <main id="main" tabIndex={-1} className={`view-${view?.id}`}>
        {view?.render()}
      </main>
      <KeysDialog dialog={help} views={VIEWS} onClose={toggleHelp} />
    </>
  )
}

/** A button, since the part of an address that a link would set is taken by the views. */
function focusMain(): void {
  document.querySelector<HTMLElement>('#main')?.focus()
}

function TimeControls() {
  const { timeView, connection, range } = useLive()
  const isLive = timeView.kind === 'live'
  return (
    <div className="time-controls">
      <fieldset>
        <legend className="unseen">Time shown</legend>
        {SPANS.map(({ label, spanMs }) => (
          <button
            key={spanMs}
            type="button"
            aria-pressed={isLive && timeView.spanMs === spanMs}
            onClick={() => setTimeView({ kind: 'live', spanMs })}
          >
            {label}
          </button>
        ))}
      </fieldset>
      <button
        type="button"
        className={`pulse ${isLive ? connection : 'paused'}`}
        onClick={togglePause}
        title="Pause (p)"
      >
        <i />
        {isLive ? CONNECTION_WORDS[connection] : `${clockTime(range.fromMs)} – ${clockTime(range.toMs)} · go live`}
      </button>
    </div>
  )
}

const CONNECTION_WORDS = { connecting: 'Connecting', live: 'Live', lost: 'Lost' } as const

function ThemeButton() {
  const { shown } = useTheme()
  const label = shown === 'dark' ? 'Light colours' : 'Dark colours'
  return (
    <button type="button" className="icon" onClick={toggleTheme} aria-label={label} title={`${label} (d)`}>
      <svg viewBox="0 0 16 16" aria-hidden="true">
        <circle cx="8" cy="8" r="5.5" />
        <path d="M8 2.500a5.500 5.500 0 0 1 0 11z" />
      </svg>
    </button>
  )
}

function ConnectionLine() {
  const { connection } = useLive()
  if (connection !== 'lost') return null
  return (
    <p className="connection-lost" role="status">
      No connection to the console’s server. What is shown is what was; it goes on by itself once the server answers.
    </p>
  )
}
