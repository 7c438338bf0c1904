/** Owns a command of the agent that ends by itself, as a process with an environment that holds nothing but what the test gives. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'

export interface CommandOptions {
  /** A user without rights, where the tests run as root. */
  readonly uid?: number | undefined
  /** dist/main.js, which `npm test` has built. Default: the sources. */
  readonly bundle?: boolean | undefined
}

export interface CommandEnd {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export function runCommand(
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
  { uid, bundle = false }: CommandOptions = {},
): Promise<CommandEnd> {
  const main = join(import.meta.dirname, '../..', bundle ? 'dist/main.js' : 'agent/main.ts')
  const child = spawn(process.execPath, [main, ...args], {
    env: { PATH: process.env['PATH'], ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(uid === undefined ? {} : { uid, gid: uid }),
  })
  const texts = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].on('data', (chunk: Buffer) => {
      texts[name] += chunk.toString()
    })
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, ...texts }))
  })
}
