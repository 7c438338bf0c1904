/**
 * Owns the last step of the build: a development Vault, one run of the agent against it, and the cache of its code. V8 takes it
 * only from the very Node that made it, so the image makes it again with its own: `node build/code-cache.ts DIRECTORY`.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startDevVaultProcess } from '../test/support/dev-vault/process.ts'

/** A run that was slow has called what a quick one does not, such as a timer's function: two that agree are the rule. */
const mostRuns = 10

/** Writes `cli.cache` beside the bundle in `outdir`: the same bytes for the same bundle and the same Node. */
export async function makeCodeCache(outdir: string): Promise<void> {
  const scratch = mkdtempSync(join(tmpdir(), 'calico-vault-agent-build-'))
  const vault = await startDevVaultProcess()
  try {
    const environment = {
      PATH: process.env['PATH'],
      VAULT_ADDR: vault.address,
      VAULT_CACERT: vault.caFile,
      NODE_NAME: 'node1',
      AGENT_AUTH_METHOD: 'jwt',
      AGENT_AUTH_TOKEN_FILE: vault.tokenFile('node1'),
    }
    let cache: Buffer | undefined
    for (let run = 0; run < mostRuns; run++) {
      await record(resolve(outdir), { ...environment, AGENT_DIR: mkdtempSync(join(scratch, 'node-')) })
      const next = readFileSync(join(outdir, 'cli.cache'))
      if (cache?.equals(next)) break
      cache = next
    }
  } finally {
    await vault.stop()
    rmSync(scratch, { recursive: true })
  }
}

function record(outdir: string, env: NodeJS.ProcessEnv): Promise<void> {
  const recorder = fileURLToPath(new URL('record-cache.ts', import.meta.url))
  // V8 salts its hashes at random, and they are in the cache; the seed is no part of what must be the same when it is read.
  const args = ['--random-seed=1', recorder, join(outdir, 'cli.js'), join(outdir, 'cli.cache')]
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'ignore', 'inherit'] })
  return new Promise((done, failed) => {
    child.on('error', failed)
    child.on('exit', (code) => (code === 0 ? done() : failed(new Error(`recording the code cache ended with ${code}`))))
  })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await makeCodeCache(process.argv[2] ?? 'dist')
