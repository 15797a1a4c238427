import { readFileSync } from 'node:fs'

// Plain JavaScript, since it has to run on the Node that is too old. `npm ci` brings the right one, unless install
// scripts were switched off.
const { engines } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
const wanted = engines.node.replace('>=', '').split('.').map(Number)
const found = process.versions.node.split('.').map(Number)
const isOlder = found[0] < wanted[0] || (found[0] === wanted[0] && found[1] < wanted[1])
if (isOlder) {
  process.stderr.write(
    `Node ${engines.node} is needed and this is ${process.versions.node}: run npm ci with scripts allowed\n`,
  )
  process.exit(1)
}
