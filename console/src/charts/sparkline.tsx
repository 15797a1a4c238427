import { useLive } from '../store/live.ts'
import { sparkPath } from './spark-path.ts'

/** A figure's course over the time on screen, without axes. */
export function Sparkline({ name, tone = 'muted' }: { readonly name: string; readonly tone?: string }) {
  const { series, range } = useLive()
  const path = sparkPath(series, name, range)
  return (
    <svg className={`spark ${tone}`} viewBox="0 0 100 24" preserveAspectRatio="none" aria-hidden="true">
      {path !== '' && <path d={path} vectorEffect="non-scaling-stroke" />}
    </svg>
  )
}
