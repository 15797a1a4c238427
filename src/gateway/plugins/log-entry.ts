import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { systemClock } from '../../core/index.ts'
import type { Attempt } from '../attempts.ts'
import type { Exchange } from '../exchange.ts'
import type { RequestOutcome } from '../finished.ts'
import { queryParameters } from '../query.ts'
import { hostName } from '../upstream-request.ts'

/** What stands in logs for headers that prove who somebody is. */
const REDACTED = 'REDACTED'
const SECRET_HEADERS = ['authorization', 'proxy-authorization']

/**
 * One request as Kong's logging plugins write it. Times are milliseconds, `started_at` since 1970, sizes bytes on the
 * wire. Source: Kong 3.9, `kong.log.serialize` in `kong/pdk/log.lua`.
 */
export function logEntryOf(exchange: Exchange, outcome: RequestOutcome): Readonly<Record<string, unknown>> {
  const { target, consumer, credential, dispatchedAtMs, startedAtMs } = exchange
  const proxyMs = outcome.upstreamMs
  const gatewayMs = dispatchedAtMs === undefined ? outcome.totalMs : dispatchedAtMs - startedAtMs
  return {
    request: requestOf(exchange, outcome),
    response: {
      status: outcome.status,
      headers: responseHeadersOf(exchange),
      size: outcome.bytes,
    },
    latencies: {
      request: Math.round(outcome.totalMs),
      kong: Math.round(gatewayMs),
      proxy: proxyMs === undefined ? -1 : Math.round(proxyMs),
      receive: proxyMs === undefined ? 0 : Math.max(0, Math.round(outcome.totalMs - gatewayMs - proxyMs)),
    },
    tries: (exchange.attempts ?? []).map(tryOf),
    ...(target && { route: target.route }),
    ...(target?.service && { service: target.service }),
    ...(consumer && { consumer }),
    ...(credential && { authenticated_entity: { id: credential.id } }),
    client_ip: exchange.clientIp,
    started_at: Math.round(systemClock.now() - outcome.totalMs),
    upstream_uri: dispatchedAtMs === undefined ? '' : (exchange.request.url ?? ''),
    ...(dispatchedAtMs !== undefined && !exchange.exited && { upstream_status: String(outcome.status) }),
    source: sourceOf(exchange),
    workspace: 'default',
    workspace_name: 'default',
  }
}

/** Kong leaves out how the last one failed, which nobody else tells. */
function tryOf({ ip, port, startedAtMs, choosingMs, failedStatus }: Attempt): Readonly<Record<string, unknown>> {
  return {
    ip,
    port,
    balancer_start: Math.round(startedAtMs),
    balancer_latency: Math.round(choosingMs),
    ...(failedStatus !== undefined && { state: 'failed', code: failedStatus }),
  }
}

function requestOf(exchange: Exchange, outcome: RequestOutcome): Readonly<Record<string, unknown>> {
  const { request, headers, rawPath, query, requestId } = exchange
  const uri = rawPath + query
  const host = hostOf(request)
  return {
    id: requestId,
    method: request.method,
    uri,
    url: `${exchange.secure ? 'https' : 'http'}://${hostName(host ?? '')}:${exchange.port}${uri}`,
    querystring: queryParameters(query),
    headers: { ...redacted(headers), host },
    size: outcome.bytesIn,
  }
}

/** As the client wrote it: by now the headers have the host that the upstream was asked for. */
function hostOf({ rawHeaders }: IncomingMessage): string | undefined {
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]?.toLowerCase()
    if (name === 'host' || name === ':authority') return rawHeaders[index + 1]
  }
  return undefined
}

function redacted(headers: IncomingHttpHeaders): Readonly<Record<string, unknown>> {
  const output: Record<string, unknown> = { ...headers }
  for (const name of SECRET_HEADERS) if (output[name] !== undefined) output[name] = REDACTED
  return output
}

/** Repeated ones as a list. */
function responseHeadersOf({ response: { sentHeaders = [] } }: Exchange): Readonly<Record<string, unknown>> {
  const headers: Record<string, unknown> = {}
  for (let index = 0; index < sentHeaders.length; index += 2) {
    const name = String(sentHeaders[index]).toLowerCase()
    const value = sentHeaders[index + 1]
    headers[name] = headers[name] === undefined ? value : [headers[name], value].flat()
  }
  return headers
}

/** Who wrote the answer. */
function sourceOf({ exited, dispatchedAtMs }: Exchange): 'upstream' | 'exit' | 'error' {
  if (!exited) return 'upstream'
  return dispatchedAtMs === undefined ? 'exit' : 'error'
}
