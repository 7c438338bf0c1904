/**
 * Owns making the code cache: runs the agent's bundle once through a whole first certificate, in this process, and keeps
 * the machine code that V8 has made by then, functions that are compiled on first use among it.
 * Arguments: the bundle and the file to write. The environment configures the agent.
 */
import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { loadScript } from '../agent/core/script-loader.ts'

const [, , bundle = '', cacheFile = ''] = process.argv
process.argv.splice(1, process.argv.length, bundle, 'init', '--wait', '20s')
const { script, run } = loadScript(bundle, undefined)
process.on('exit', (code) => {
  if (code === 0) writeFileSync(cacheFile, script.createCachedData())
})
run({}, createRequire(bundle), bundle, dirname(bundle))
