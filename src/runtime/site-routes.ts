import { redirectsTo, type SiteDeclaration } from '../core/index.ts'
import type { GatewaySeed } from '../gateway/index.ts'

type Routes = Required<Pick<GatewaySeed, 'services' | 'routes'>>

/**
 * Sites in the gateway's configuration: a Kong service each, so that plugins apply to them as to everything else. The
 * route of its pages is a prefix, which loses against the exact routes of endpoints; those of its redirects are exact.
 */
export function siteRoutesOf(sites: readonly SiteDeclaration[]): Routes {
  return {
    services: sites.map(({ name }) => ({ name, host: name, port: 8080, protocol: 'http' })),
    routes: sites.flatMap((site) => {
      const pages = routeOf(site, 'pages', [site.path])
      const redirected = redirectsTo(site).map((path) => `~${path.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`)
      return redirected.length === 0 ? [pages] : [pages, routeOf(site, 'redirects', redirected)]
    }),
  }
}

function routeOf({ name }: SiteDeclaration, what: string, paths: readonly string[]) {
  return { name: `${name}.${what}`, service: name, methods: ['GET', 'HEAD'], paths, strip_path: false }
}
