/** Paths of endpoints, such as `/users/:id`, by what they match: service and gateway must agree on that. */

/** Whether some path matches both. */
export function pathsOverlap(one: string, other: string): boolean {
  const [segments, others] = [one.split('/'), other.split('/')]
  if (segments.length !== others.length) return false
  return segments.every(
    (segment, index) => segment === others[index] || !isLiteral(segment) || !isLiteral(others[index]),
  )
}

/**
 * `/users/:id/orders` → `1101`. Of two that overlap a service takes the one that is literal where they first differ:
 * the greater text.
 */
export function pathShape(path: string): string {
  return path
    .split('/')
    .map((segment) => (isLiteral(segment) ? '1' : '0'))
    .join('')
}

function isLiteral(segment: string | undefined): boolean {
  return segment !== undefined && !segment.includes(':')
}
