import type { IncomingMessage } from 'node:http'
import { answerJson, type Exchange } from '../answer.ts'
import { consoleError } from '../errors.ts'
import { assertOwnPage, readJsonBody } from '../writes.ts'
import { Admin, AdminRefusal, type AdminReply } from './admin.ts'
import { readConfiguration, shownPlugin } from './configuration.ts'
import { maskErrors } from './secrets.ts'

/** Where the gateway's Admin API is; undefined while there is none to reach. */
export type AdminUrl = () => string | undefined

export type GatewayExchange = Exchange & { readonly path: string }

/** Whether a path is one of the console's about the gateway. */
export function isGatewayPath(path: string): boolean {
  return path === '/api/gateway' || path.startsWith('/api/gateway/')
}

/**
 * `/api/gateway`: the gateway's configuration, and changes to its plugins. What the Admin API refuses is answered in
 * its own words and with its status, so that a page can show each message at its field.
 */
export async function answerGateway(adminUrl: AdminUrl, exchange: GatewayExchange): Promise<void> {
  const { request, response } = exchange
  const url = adminUrl()
  if (url === undefined) {
    throw consoleError('CONSOLE_GATEWAY_NONE', 'no gateway runs in this process, and ADMIN_URL names none elsewhere')
  }
  const reply = await replyOf(new Admin(url, tokenOf(request)), exchange).catch((error: unknown) => {
    if (error instanceof AdminRefusal) return error.reply
    throw error
  })
  if (reply.status === 204) response.writeHead(204, { 'cache-control': 'no-store' }).end()
  else await answerJson(exchange, reply.body, reply.status)
}

async function replyOf(admin: Admin, { path, request }: GatewayExchange): Promise<AdminReply> {
  const method = request.method === 'HEAD' ? 'GET' : request.method
  const [, , , list, item, ...rest] = path.split('/')
  if (rest.length > 0 || item === '') throw unknown(path)
  switch (`${method} ${list ?? ''}${item === undefined ? '' : '/'}`) {
    case 'GET ':
      return { status: 200, body: await readConfiguration(admin) }
    case 'GET schemas/':
      return admin.call({ method: 'GET', path: `/schemas/plugins/${item}` })
    case 'POST plugins':
      return write(admin, request, { method: 'POST', path: '/plugins' })
    case 'PATCH plugins/':
      return write(admin, request, { method: 'PATCH', path: `/plugins/${item}` })
    case 'DELETE plugins/':
      assertOwnPage(request)
      return admin.call({ method: 'DELETE', path: `/plugins/${item}` })
    default:
      throw noSuch(path, method)
  }
}

/** The paths there are, with their methods. */
const METHODS: readonly (readonly [path: RegExp, allow: string])[] = [
  [/^\/api\/gateway(?:\/schemas\/[^/]+)?$/, 'GET, HEAD'],
  [/^\/api\/gateway\/plugins$/, 'POST'],
  [/^\/api\/gateway\/plugins\/[^/]+$/, 'DELETE, PATCH'],
]

function noSuch(path: string, method: string | undefined): Error {
  const allow = METHODS.find(([pattern]) => pattern.test(path))?.[1]
  if (allow === undefined) return unknown(path)
  return consoleError('CONSOLE_METHOD_NOT_ALLOWED', `${path} has no ${method}`, { details: { allow } })
}

async function write(
  admin: Admin,
  request: IncomingMessage,
  call: { readonly method: 'POST' | 'PATCH'; readonly path: string },
): Promise<AdminReply> {
  assertOwnPage(request)
  const body = await readJsonBody(request)
  const fields = maskErrors(body)
  if (fields !== undefined) return { status: 400, body: { message: 'a secret is masked', fields } }
  const { status, body: answer } = await admin.call({ ...call, body })
  return { status, body: status < 300 ? shownPlugin(answer) : answer }
}

/** Kong's header. One that comes twice is none. */
function tokenOf({ headers }: IncomingMessage): string | undefined {
  const token = headers['kong-admin-token']
  return typeof token === 'string' && token !== '' ? token : undefined
}

const unknown = (path: string) => consoleError('CONSOLE_PATH_UNKNOWN', `there is no ${path}`)
