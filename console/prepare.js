import { join } from 'node:path'

/**
 * Runs after npm has installed: builds the console, so that `npm ci && npm start` has it. Without development
 * dependencies there is nothing to build with, which is no failure: the console's address then says what to do.
 */
const vite = await import('vite').catch((error) => {
  if (error.code === 'ERR_MODULE_NOT_FOUND') return undefined
  throw error
})

if (vite === undefined) {
  process.stdout.write('the console is not built: vite, a development dependency, is not installed\n')
} else {
  await vite.build({ configFile: join(import.meta.dirname, 'vite.config.ts'), logLevel: 'warn' })
}
