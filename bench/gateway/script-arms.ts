import { fileURLToPath } from 'node:url'
import { startNode } from '../command/processes.ts'
import type { Arm, ArmName } from './arm.ts'

/** Servers of one file, each in a process of its own. */
export function startBareArm(): Promise<Arm> {
  return startScriptArm('bare', new URL('bare-server.ts', import.meta.url))
}

export function startFastifyProxyArm(upstream: string): Promise<Arm> {
  return startScriptArm('fastify-http-proxy', new URL('fastify-proxy.ts', import.meta.url), upstream)
}

export function startHttpProxyArm(upstream: string): Promise<Arm> {
  // The package calls a function that Node has deprecated; what it says about that is no news here.
  return startScriptArm('http-proxy', new URL('http-proxy.ts', import.meta.url), upstream)
}

async function startScriptArm(name: ArmName, script: URL, upstream = ''): Promise<Arm> {
  const started = await startNode(['--no-deprecation', fileURLToPath(script), upstream], {})
  return { name, url: started.find(/^ready (http\S+)/m), pids: [started.pid], stop: () => started.stop() }
}
