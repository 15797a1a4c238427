#!/usr/bin/env node
// Plain JavaScript that every Node since 12 can read, since its first job is to say that a Node is too old.
import { readFileSync } from 'node:fs'
import module from 'node:module'
import { fileURLToPath } from 'node:url'

// `^22.21.0 || >=24.9.0`, say: `^` stays in its major version, `>=` does not.
const wanted = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).engines.node
const [major, minor] = process.versions.node.split('.').map(Number)
const isSupported = wanted.split(' || ').some((range) => {
  const least = range
    .replace(/^(\^|>=)/, '')
    .split('.')
    .map(Number)
  return major === least[0] ? minor >= least[1] : range.startsWith('>=') && major > least[0]
})

if (isSupported) {
  // Node runs TypeScript as it is, but not inside node_modules: there the published package has JavaScript.
  const published = /[\\/]node_modules[\\/]/.test(fileURLToPath(import.meta.url))
  // Compiled code is kept beside the packages, which halves the time that a command takes to load; where that cannot be
  // written it is compiled each time. NODE_COMPILE_CACHE names another folder, NODE_DISABLE_COMPILE_CACHE=1 none.
  const cache = published ? '../../.cache/groundswell' : '../node_modules/.cache/compiled'
  module.enableCompileCache(fileURLToPath(new URL(cache, import.meta.url)))
  run(published ? (name) => `../dist/cli/${name}.js` : (name) => `../src/cli/${name}.ts`)
} else {
  process.stderr.write(
    `error: Groundswell needs Node ${wanted}, this is ${process.versions.node}. ` +
      'Run it through npm (npm start, npx groundswell), which uses the Node that npm ci brought, or install a newer one.\n',
  )
  process.exitCode = 1
}

async function run(fileOf) {
  if (process.argv[2] === 'start') (await import(fileOf('young-generation'))).makeRoomForTheYoung()
  const { main } = await import(fileOf('main'))
  await main(process.argv.slice(2))
}
