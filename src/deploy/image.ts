import type { BuildOptions } from './options.ts'
import { type RenderedFile, sealed } from './rendered-file.ts'

/** The user that runs in the image: `node` of the official images, by its number so that the cluster can check it. */
export const IMAGE_USER = 1000

const INSTALL_FLAGS = '--omit=dev --omit=optional --ignore-scripts --no-audit --no-fund'

/**
 * One image for every process: which part of the application it runs is said by its arguments. Nothing is compiled, so
 * the first stage only installs; its caches stay behind. Drivers of engines are optional peers of ours, so they are
 * named; the lock file has their versions all the same. Packages of platforms (the embedded PostgreSQL's binaries) are
 * optional dependencies and left out: a fleet has databases of its own.
 */
export function dockerfile({ copies, drivers, entrypoint, nodeVersion }: BuildOptions): RenderedFile {
  const lines = [
    '# Pin the base by its digest where you build: --build-arg NODE_IMAGE=node@sha256:…',
    `ARG NODE_IMAGE=node:${nodeVersion}-bookworm-slim`,
    '',
    'FROM $NODE_IMAGE AS dependencies',
    'WORKDIR /app',
    'COPY package.json package-lock.json ./',
    `RUN npm ci ${INSTALL_FLAGS}`,
    ...(drivers.length === 0 ? [] : [`RUN npm install --no-save --save-prod ${INSTALL_FLAGS} ${drivers.join(' ')}`]),
    '',
    'FROM $NODE_IMAGE',
    'ENV NODE_ENV=production',
    'WORKDIR /app',
    'COPY --from=dependencies /app/node_modules ./node_modules',
    'COPY package.json ./',
    ...copies.map((path) => (path === '.' ? 'COPY . .' : `COPY ${path} ./${path}`)),
    '# A number, not a name: only then Kubernetes can see that it is not root.',
    `USER ${IMAGE_USER}:${IMAGE_USER}`,
    'EXPOSE 8080 8000',
    `ENTRYPOINT ["node", "${entrypoint}"]`,
    '',
  ]
  return sealed('Dockerfile', lines.join('\n'))
}

/** Beside the Dockerfile, by whose name BuildKit finds it; what it names never reaches the builder. */
export function dockerignore(): RenderedFile {
  const lines = [
    '**/.git',
    '**/node_modules',
    '**/.groundswell',
    '**/.env',
    '**/.env.*',
    '**/*.test.ts',
    '**/*-fixture.ts',
    '**/*.md',
    '**/*.log',
    '',
  ]
  return sealed('Dockerfile.dockerignore', lines.join('\n'))
}
