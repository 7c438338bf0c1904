/**
 * Owns the entry, dist/main.js: refuses another Node than the one it is built for, then runs the agent's bundle with the
 * machine code that build/code-cache.ts has kept from an earlier run. Without a usable cache it is only slower.
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { loadScript } from './core/script-loader.ts'

const builtFor = '24'

function start(directory: string): void {
  if (process.versions.node.split('.', 1)[0] !== builtFor) {
    process.stderr.write(
      `calico-vault-agent: needs Node ${builtFor}; this is ${process.version}. In a checkout, \`npx calico-vault-agent\` finds the right one.\n`,
    )
    process.exit(78)
  }
  const filename = join(directory, 'cli.js')
  const { run } = loadScript(filename, readCache(join(directory, 'cli.cache')))
  run({}, createRequire(filename), filename, directory)
}

function readCache(file: string): Buffer | undefined {
  try {
    return readFileSync(file)
  } catch {
    return undefined
  }
}

start(__dirname)
