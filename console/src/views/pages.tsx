import type { TopologyPage } from '../../../src/console/index.ts'
import { Empty, Panel } from '../parts/panel.tsx'
import { useLive } from '../store/live.ts'
import { usePolled } from '../store/polled.ts'
import { type PageRow, rowsOf } from './page-rows.ts'

/** Pages that services declare for operators: in a shop, the letters it sent. */
export function PagesView() {
  const { topology } = useLive()
  if (topology === undefined) return null
  if (topology.pages.length === 0) {
    return (
      <div className="sheet">
        <Panel title="Mailbox" area="span-12">
          <Empty headline="No service has a page for operators">Declare one under consoleRoutes of a service.</Empty>
        </Panel>
      </div>
    )
  }
  return (
    <div className="sheet">
      {topology.pages.map((page) => (
        <ServicePage key={page.path} page={page} />
      ))}
    </div>
  )
}

const POLL_MS = 3_000

function ServicePage({ page }: { readonly page: TopologyPage }) {
  const { timeView } = useLive()
  const polled = usePolled<unknown>(page.path, POLL_MS, timeView.kind === 'fixed')
  const rows = polled.kind === 'ready' ? rowsOf(polled.body) : []
  return (
    <Panel
      title={titleOf(page.path)}
      area="span-12"
      note={page.summary ?? page.service}
      actions={<Raw path={page.path} />}
    >
      {polled.kind === 'failed' && <Empty headline={`${page.path} cannot be read`}>{polled.message}</Empty>}
      {polled.kind === 'ready' && rows.length === 0 && <Empty headline="Nothing here yet" />}
      {rows.length > 0 && (
        <ol className="letters">
          {rows.map((row) => (
            <PageItem key={row.key} row={row} />
          ))}
        </ol>
      )}
    </Panel>
  )
}

function PageItem({ row }: { readonly row: PageRow }) {
  return (
    <li>
      <details>
        <summary>
          {row.short.map(([name, value]) => (
            <span key={name} className={`cell-${name.toLowerCase()}`}>
              {value}
            </span>
          ))}
        </summary>
        {row.long.map(([name, value]) => (
          <p key={name}>{value}</p>
        ))}
        <dl className="facts">
          {row.ids.map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      </details>
    </li>
  )
}

function Raw({ path }: { readonly path: string }) {
  return (
    <a className="more" href={path}>
      JSON
    </a>
  )
}

/** `/mailbox` → `Mailbox`. */
function titleOf(path: string): string {
  const word = path.split('/').at(-1) ?? path
  return word.charAt(0).toUpperCase() + word.slice(1)
}
