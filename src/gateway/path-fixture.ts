/**
 * For tests, from Kong's own: service.path, path of the route, path of the request, and the upstream's with strip_path
 * and without.
 */
export const JOINED_PATHS: readonly (readonly [string, string, string, string, string])[] = [
  ['/', '/route', '/route', '/', '/route'],
  ['/', '/route', '/route/', '/', '/route/'],
  ['/', '/route', '/routereq', '/req', '/routereq'],
  ['/srv', '/rou', '/roureq', '/srv/req', '/srv/roureq'],
  ['/srv/', '/rou', '/rou', '/srv', '/srv/rou'],
  ['/service', '/', '/', '/service', '/service'],
  ['/service', '/', '/route', '/service/route', '/service/route'],
  ['/service', '/', '/route/', '/service/route/', '/service/route/'],
  ['/service', '/route', '/route', '/service', '/service/route'],
  ['/service', '/route', '/route/', '/service/', '/service/route/'],
  ['/service', '/route', '/routereq', '/service/req', '/service/routereq'],
  ['/service', '/route/', '/route/', '/service/', '/service/route/'],
  ['/service', '/route/', '/route/req', '/service/req', '/service/route/req'],
  ['/service/', '/', '/', '/service/', '/service/'],
  ['/service/', '/', '/route', '/service/route', '/service/route'],
  ['/service/', '/route', '/route', '/service', '/service/route'],
  ['/service/', '/route', '/route/', '/service/', '/service/route/'],
  ['/service/', '/route', '/routereq', '/service/req', '/service/routereq'],
  ['/service/', '/route/', '/route/', '/service/', '/service/route/'],
  ['/service/', '/route/', '/route/req', '/service/req', '/service/route/req'],
]
