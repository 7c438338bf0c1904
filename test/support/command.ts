/** Owns running a command of the program to its end: from the sources or the bundle, with nothing in its environment but what is given. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly input?: string
  /** SIGKILL as soon as standard output holds this. */
  readonly killAt?: string
  /** dist/main.js, which `npm test` has built. Default: the sources. */
  readonly bundle?: boolean
}

export function runCommand(
  args: readonly string[],
  { env = {}, input, killAt, bundle = false }: RunOptions,
): Promise<Ended> {
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, '../..', bundle ? 'dist/main.js' : 'agent/main.ts'), ...args],
    {
      env: { PATH: process.env['PATH'], ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    },
  )
  child.stdin.on('error', () => {})
  child.stdin.end(input ?? '')
  const texts = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].on('data', (chunk: Buffer) => {
      texts[name] += chunk.toString()
      if (killAt !== undefined && texts.stdout.includes(killAt)) child.kill('SIGKILL')
    })
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, ...texts }))
  })
}
