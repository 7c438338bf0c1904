/** Owns running a command of the program to its end: by the built bundle, with nothing in its environment but what is given. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { watchSecrets } from './no-secrets.ts'

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
  /** From agent/, at several times the cost. Default: dist/main.js, which is what is shipped (built.ts). */
  readonly sources?: boolean
  /** What starts it, in front of node. */
  readonly wrapper?: readonly string[]
  /** A user without rights, where the tests run as root. */
  readonly uid?: number | undefined
}

export async function runCommand(args: readonly string[], options: RunOptions): Promise<Ended> {
  const main = join(import.meta.dirname, '../..', options.sources === true ? 'agent/cli/cli.ts' : 'dist/main.js')
  const [program = process.execPath, ...rest] = [...(options.wrapper ?? []), process.execPath, main, ...args]
  return await runProgram(program, rest, options)
}

/** Does not block: what the program talks to may be in this very process. Rejects where the program tells a secret. */
export function runProgram(
  program: string,
  args: readonly string[],
  { env = {}, cwd, input, killAt, uid }: RunOptions & { readonly cwd?: string },
): Promise<Ended> {
  const child = spawn(program, args, {
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(cwd === undefined ? {} : { cwd }),
    ...(uid === undefined ? {} : { uid, gid: uid }),
  })
  const secretsIn = watchSecrets(env)
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
    child.once('close', (code) => {
      const told = secretsIn(texts.stdout + texts.stderr)
      if (told.length > 0) reject(new Error(`${args.join(' ')} has told the secrets of ${told.join(', ')}`))
      else resolve({ code, ...texts })
    })
  })
}
