import type { App } from '../../core/index.ts'
import type { RenderOptions } from '../options.ts'
import { type RenderedFile, sealed } from '../rendered-file.ts'

/** How to get from the folder to a running application. */
export function readme(app: App, { shards, events }: RenderOptions): RenderedFile {
  const secrets = ['POSTGRES_PASSWORD', 'ADMIN_TOKEN', ...(events === 'rabbitmq' ? ['RABBITMQ_PASSWORD'] : [])]
  const format = secrets.map((name) => `${name}=%s\\n`).join('')
  const values = secrets.map(() => '"$(openssl rand -hex 24)"').join(' ')
  const text = `# ${app.name} with Docker Compose

Rendered from the application; render again instead of editing. Settings of the application's own \`app.ts\`, and whatever else is to
differ, go into a \`compose.override.yaml\` beside it, which Compose reads as well.

\`\`\`sh
printf '${format}' ${values} > .env
docker compose up --build --wait
\`\`\`

| where | what |
|---|---|
| http://localhost:8000 | gateway |
| http://localhost:8001 | its Admin API: send the token of \`.env\` as \`Kong-Admin-Token\` |
| http://localhost:8002 | console |
| http://localhost:9090 | Prometheus |
| localhost:5432 | PostgreSQL, ${shards} database${shards === 1 ? '' : 's'}, one per shard |
${BROKER_ROWS[events]}
One container more of a service: \`docker compose up --scale <service>=2 --no-recreate --detach\`. All of it, with its data:
\`docker compose down --volumes\`.
`
  return sealed('README.md', text)
}

const BROKER_ROWS = {
  postgres: '',
  kafka: '| localhost:9094 | Kafka |\n',
  rabbitmq: '| localhost:5672 | RabbitMQ, user `groundswell`, with the password of `.env` |\n',
} as const
