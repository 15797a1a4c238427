import { useEffect, useState } from 'react'
import { readJson } from './api.ts'

export type Polled<Body> =
  | { readonly kind: 'loading' }
  | { readonly kind: 'ready'; readonly body: Body }
  | { readonly kind: 'failed'; readonly message: string }

/** What a path answers, read again every `intervalMs` while it is on screen and not held. */
export function usePolled<Body>(path: string, intervalMs: number, isHeld = false): Polled<Body> {
  const [polled, setPolled] = useState<Polled<Body>>({ kind: 'loading' })
  useEffect(() => {
    const abort = new AbortController()
    const read = async () => {
      if (document.hidden) return
      try {
        const body = await readJson<Body>(path, abort.signal)
        setPolled({ kind: 'ready', body })
      } catch (error) {
        if (!abort.signal.aborted) setPolled({ kind: 'failed', message: (error as Error).message })
      }
    }
    void read()
    const timer = isHeld ? undefined : setInterval(() => void read(), intervalMs)
    return () => {
      abort.abort()
      clearInterval(timer)
    }
  }, [path, intervalMs, isHeld])
  return polled
}
