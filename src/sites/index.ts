export { createSiteServer, type SiteServer, type SiteServerOptions } from './site-server.ts'
