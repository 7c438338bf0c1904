/**
 * Owns making the code cache: runs the agent's bundle in this process until its first certificate is published, and keeps the
 * machine code that V8 has made by then, functions that are compiled on first use among it. What runs later is not in it: every
 * start would pay for that before its certificate.
 * Arguments: the bundle and the file to write. The environment configures the agent.
 */
import { existsSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import v8 from 'node:v8'
import { loadScript } from '../agent/core/script-loader.ts'

const [, , bundle = '', cacheFile = ''] = process.argv
process.argv.splice(1, process.argv.length, bundle, 'run')
// A cache that is made under other flags is rejected at the start, when none are set yet.
v8.setFlagsFromString = () => {}
const { script, run } = loadScript(bundle, undefined)
const require = createRequire(bundle)

const patienceMs = 20_000

/** In the place of the bundle that the agent loads after its first certificate, or if that takes long. */
async function startBackground(): Promise<void> {
  while (!existsSync(join(process.env['AGENT_DIR'] ?? '', 'etcd-cert'))) {
    if (performance.now() > patienceMs) {
      // The agent would try for ever, and the build would wait for it.
      process.stderr.write(`the agent has no certificate after ${patienceMs / 1000} s\n`)
      process.exit(1)
    }
    await delay(1)
  }
  writeFileSync(cacheFile, script.createCachedData())
  process.exit(0)
}

const requireOfBundle = (name: string): unknown => (name === './background.js' ? { startBackground } : require(name))
run({}, Object.assign(requireOfBundle, require), bundle, dirname(bundle))
