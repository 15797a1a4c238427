import { useEffect, useSyncExternalStore } from 'react'
import type { GatewayConfiguration, GatewayPlugin } from '../../../src/console/index.ts'
import { sharedState, useSharedState } from '../store/shared-state.ts'
import type { PluginSchema } from './schema.ts'

/**
 * The gateway's configuration as the console's server tells it, read again while somebody looks and at once after a
 * change. A token that the Admin API asks for is kept for as long as this tab is open, and sent with each request.
 */
export type GatewayState =
  | { readonly kind: 'loading' }
  | { readonly kind: 'ready'; readonly configuration: GatewayConfiguration }
  /** The Admin API wants a token; `wasGiven` one that was wrong. */
  | { readonly kind: 'locked'; readonly wasGiven: boolean }
  | { readonly kind: 'none' }
  | { readonly kind: 'failed'; readonly message: string }

/** What a change led to; `fields` is in the shape of the Admin API. */
export type ChangeResult =
  | { readonly ok: true; readonly plugin: GatewayPlugin | undefined }
  | { readonly ok: false; readonly message: string; readonly fields: unknown }

const POLL_MS = 5_000
const TOKEN = 'groundswell.admin-token'

const schemas = new Map<string, PluginSchema | 'reading'>()
const gateway = sharedState<GatewayState>({ kind: 'loading' }, { read: readState, intervalMs: POLL_MS })

export function useGateway(): GatewayState {
  return useSharedState(gateway)
}

/** The schema of a kind of plugin; undefined until it has been read. */
export function useSchema(name: string): PluginSchema | undefined {
  useEffect(() => {
    if (name !== '') void readSchema(name)
  }, [name])
  return useSyncExternalStore(gateway.subscribe, () => knownSchema(name))
}

/** Of several kinds, for tables: called with what is known so far, again when there is more. */
export function useSchemas(names: readonly string[]): (name: string) => PluginSchema | undefined {
  const key = names.join()
  useEffect(() => {
    for (const name of key.split(',')) if (name !== '') void readSchema(name)
  }, [key])
  useSyncExternalStore(gateway.subscribe, () => names.filter((name) => knownSchema(name) !== undefined).length)
  return knownSchema
}

export function unlock(token: string): void {
  sessionStorage.setItem(TOKEN, token)
  void gateway.readAgain()
}

export function addPlugin(body: object): Promise<ChangeResult> {
  return change('POST', 'plugins', body)
}

export function changePlugin(id: string, body: object): Promise<ChangeResult> {
  return change('PATCH', `plugins/${encodeURIComponent(id)}`, body)
}

export function deletePlugin(id: string): Promise<ChangeResult> {
  return change('DELETE', `plugins/${encodeURIComponent(id)}`)
}

async function readState(): Promise<GatewayState> {
  try {
    const { status, body } = await ask('GET', '')
    if (status === 200) return { kind: 'ready', configuration: body as GatewayConfiguration }
    if (status === 401) return { kind: 'locked', wasGiven: sessionStorage.getItem(TOKEN) !== null }
    if ((body as { code?: unknown }).code === 'CONSOLE_GATEWAY_NONE') return { kind: 'none' }
    return { kind: 'failed', message: messageOf(body, status) }
  } catch (error) {
    return { kind: 'failed', message: (error as Error).message }
  }
}

async function readSchema(name: string): Promise<void> {
  if (schemas.has(name)) return
  schemas.set(name, 'reading')
  const reply = await ask('GET', `schemas/${encodeURIComponent(name)}`).catch(() => undefined)
  if (reply?.status === 200) schemas.set(name, reply.body as PluginSchema)
  else schemas.delete(name)
  gateway.announce()
}

async function change(method: string, path: string, body?: object): Promise<ChangeResult> {
  try {
    const { status, body: answer } = await ask(method, path, body)
    if (status >= 300) {
      return { ok: false, message: messageOf(answer, status), fields: (answer as { fields?: unknown })?.fields }
    }
    await gateway.readAgain()
    return { ok: true, plugin: answer as GatewayPlugin | undefined }
  } catch (error) {
    return { ok: false, message: (error as Error).message, fields: undefined }
  }
}

async function ask(method: string, path: string, body?: object): Promise<{ status: number; body: unknown }> {
  const token = sessionStorage.getItem(TOKEN)
  const response = await fetch(`/api/gateway${path === '' ? '' : `/${path}`}`, {
    method,
    headers: {
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...(token !== null && { 'kong-admin-token': token }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text) }
}

/** The Admin API says `message`, the console `detail`. */
function messageOf(body: unknown, status: number): string {
  const { message, detail } = (body ?? {}) as { readonly message?: string; readonly detail?: string }
  return message ?? detail ?? `the answer was ${status}`
}

function knownSchema(name: string): PluginSchema | undefined {
  const schema = schemas.get(name)
  return schema === 'reading' ? undefined : schema
}
