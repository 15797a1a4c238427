import type { SiteDeclaration } from '../core/index.ts'

/** Names and values in turn. */
export type SecurityHeaders = readonly string[]

/**
 * Nothing from other origins, nothing inline, no plugins, no frames around it, and forms that stay: what somebody
 * manages to write into a page can neither run nor call home.
 */
const POLICY = [
  "default-src 'self'",
  "img-src 'self' data:",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ')

/** What every answer of a site carries. Strict-Transport-Security is for whoever terminates TLS to say. */
export function securityHeaders({ contentSecurityPolicy = POLICY }: SiteDeclaration): SecurityHeaders {
  return [
    ...['Content-Security-Policy', contentSecurityPolicy],
    ...['X-Content-Type-Options', 'nosniff'],
    // For browsers that do not know frame-ancestors.
    ...['X-Frame-Options', 'DENY'],
    // Addresses of pages name orders: no other origin learns them.
    ...['Referrer-Policy', 'same-origin'],
    ...['Cross-Origin-Opener-Policy', 'same-origin'],
    ...['Permissions-Policy', 'camera=(), geolocation=(), microphone=()'],
  ]
}
