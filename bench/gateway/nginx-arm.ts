import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort, until } from '../../src/testing/index.ts'
import type { Arm } from './arm.ts'

/** nginx as a proxy: one worker, connections to the upstream kept, no access log. */
export async function startNginxArm(upstream: string): Promise<Arm> {
  const folder = await mkdtemp(join(tmpdir(), 'groundswell-bench-nginx-'))
  const port = await freePort()
  const file = join(folder, 'nginx.conf')
  await writeFile(file, configOf({ folder, port, upstream: new URL(upstream).host }))
  const child = spawn('nginx', ['-c', file, '-p', folder, '-e', join(folder, 'error.log')], { stdio: 'ignore' })
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const url = `http://127.0.0.1:${port}`
  const stop = async () => {
    if (child.exitCode === null) child.kill('SIGTERM')
    await ended
    await rm(folder, { recursive: true, force: true })
  }
  try {
    await until(() => isUp(url), { what: 'nginx' })
    return { name: 'nginx', url, pids: await workersOf(child.pid ?? 0), stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function isUp(url: string): Promise<boolean> {
  return fetch(url).then(
    () => true,
    () => false,
  )
}

async function workersOf(master: number): Promise<number[]> {
  const children = await readFile(`/proc/${master}/task/${master}/children`, 'latin1')
  return children.trim().split(' ').map(Number)
}

function configOf({ folder, port, upstream }: { folder: string; port: number; upstream: string }): string {
  return `
daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log error;
events { worker_connections 2048; }
http {
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  upstream bare { server ${upstream}; keepalive 512; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://bare;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
    }
  }
}
`
}
