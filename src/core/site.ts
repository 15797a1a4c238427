import type { App } from './app.ts'

/** Files that browsers get: pages, their styles and scripts. Served by whichever process runs the gateway. */
export type SiteDeclaration = {
  readonly name: string
  /** A line for people. */
  readonly summary?: string
  /** Where its pages are: `/`, or a path such as `/shop/` with a slash at both ends. Endpoints have priority. */
  readonly path: string
  /** Folder of the files. What is in its `assets/` is published under names that browsers may keep for a year. */
  readonly folder: URL
  /**
   * Consumer of the gateway whose key the pages find in `config.json`. Everybody who opens the site has that key, so it
   * says which application calls, never which person.
   */
  readonly consumer?: string
  /** Paths that redirect to the site, such as `/`. */
  readonly redirectFrom: readonly string[]
  /** Replaces the Content-Security-Policy, whose default admits nothing from other origins and nothing inline. */
  readonly contentSecurityPolicy?: string
}

export type SiteDefinition = Omit<SiteDeclaration, 'name' | 'redirectFrom'> & {
  readonly redirectFrom?: readonly string[]
}

/** Declares a site: `site('storefront', { path: '/shop/', folder: new URL('./storefront/', import.meta.url) })`. */
export function site(name: string, definition: SiteDefinition): SiteDeclaration {
  return { redirectFrom: [], ...definition, name }
}

/** Every path that is answered by a redirect to the site: those that it names, and its own without the last slash. */
export function redirectsTo({ path, redirectFrom }: SiteDeclaration): readonly string[] {
  return path === '/' ? redirectFrom : [...redirectFrom, path.slice(0, -1)]
}

const SITE_PATH = /^\/(?:[a-z0-9][a-z0-9-]*\/)*$/

/** What of the sites cannot work; names and doubled routes are checked with those of the services. */
export function siteProblems({ sites, services, gateway }: App): string[] {
  const endpoints = services.flatMap((service) => service.routes.map((route) => route.endpoint))
  return sites.flatMap((one) => {
    const problems: string[] = []
    const { name, path, consumer } = one
    if (!SITE_PATH.test(path)) problems.push(`site ${name}: path "${path}" must look like "/" or "/shop/"`)
    for (const endpoint of endpoints) {
      if (path === '/' || !`${endpoint.path}/`.startsWith(path)) continue
      problems.push(`route ${endpoint.method} ${endpoint.path} lies within site ${name} (${path})`)
    }
    if (consumer === undefined) return problems
    if (!gateway.consumers.includes(consumer)) {
      problems.push(`site ${name}: consumer "${consumer}" is none of the gateway's`)
    }
    for (const { method, path: route, spec } of endpoints) {
      if (typeof spec.access !== 'object' || !spec.access.consumers.includes(consumer)) continue
      problems.push(`site ${name} would publish the key of ${consumer}, for whom ${method} ${route} is reserved`)
    }
    return problems
  })
}
