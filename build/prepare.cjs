// Builds dist/ if there is none or the sources are newer: after `npm ci`, and before a command. Runs on whatever Node npm has.
'use strict'
const { spawnSync } = require('node:child_process')
const { existsSync, readdirSync, statSync } = require('node:fs')
const { join } = require('node:path')

const root = join(__dirname, '..')
const wanted = require('../package.json').devDependencies.node.split('.')[0]

/** The program of the wanted Node: this one, or the one that `npm ci` brings. */
exports.findNode = () => {
  if (process.versions.node.split('.')[0] === wanted) return process.execPath
  const brought = join(root, 'node_modules/node/bin/node')
  return existsSync(brought) ? brought : undefined
}

/** Why nothing can run here; undefined: dist/ is there. */
exports.prepare = () => {
  const node = exports.findNode()
  if (node === undefined) {
    return `needs Node ${wanted}; this is ${process.version}. Run \`npm ci\` (with scripts, they bring the right Node), or install Node ${wanted}.`
  }
  const isBuilt = existsSync(join(root, 'dist/main.js'))
  const canBuild = existsSync(join(root, 'node_modules/esbuild'))
  if (isBuilt && (!canBuild || !isOutdated())) return undefined
  if (!canBuild) return 'dist/ is not built. Run `npm ci`, then `npm run build`.'
  process.stderr.write('calico-vault-agent: building dist/\n')
  const { status } = spawnSync(node, ['build/build.ts'], { cwd: root, stdio: ['ignore', 2, 2] })
  return status === 0 ? undefined : 'dist/ could not be built. `npm run build` says why.'
}

/** Whether a source, the build itself or a library is newer than the program: after `git pull`, say. */
function isOutdated() {
  const builtAt = statSync(join(root, 'dist/main.js')).mtimeMs
  const isNewer = (path) => statSync(join(root, path)).mtimeMs > builtAt
  const sources = ['agent', 'build'].flatMap((directory) =>
    readdirSync(join(root, directory), { recursive: true }).map((name) => join(directory, name)),
  )
  return ['package.json', 'package-lock.json', ...sources.filter((name) => name.endsWith('.ts'))].some(isNewer)
}

// By npm: an install without what builds (--ignore-scripts, --omit=dev) is no mistake.
if (require.main === module) {
  const problem = exports.prepare()
  if (problem !== undefined) process.stderr.write(`calico-vault-agent: ${problem}\n`)
}
