/** Owns what the commands that act on a server do with a terminal: color, and asking before anything is changed. */
import { createInterface } from 'node:readline/promises'
import { systemCode } from '../core/errors.ts'
import { exitCodes, UsageError } from './exit.ts'

export type Paint = (text: string, color: '+' | '~' | '-' | '!' | 'bold') => string

const colors = { '+': 32, '~': 33, '-': 31, '!': 33, bold: 1 } as const

/** https://no-color.org */
export function painter(isTerminal: boolean, env: Readonly<Record<string, string | undefined>>): Paint {
  const paints = isTerminal && !env['NO_COLOR'] && env['TERM'] !== 'dumb'
  return (text, color) => (paints ? `\x1b[${colors[color]}m${text}\x1b[0m` : text)
}

/** If nobody can be asked, the yes must be given beforehand. @throws UsageError */
export function refuseUnasked(
  command: string,
  { yes, nodesFile }: { readonly yes: boolean; readonly nodesFile?: string | undefined },
): void {
  if (yes) return
  if (!(process.stdin.isTTY && process.stdout.isTTY)) throw new UsageError(`${command} needs --yes outside a terminal`)
  if (nodesFile === '-') throw new UsageError('--nodes-file - needs --yes: standard input cannot be asked any more')
}

/** Ctrl-D is a no. Ctrl-C ends the process, as the shell expects it. */
export async function agrees(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout })
  terminal.once('SIGINT', () => {
    terminal.close()
    process.stdout.write('\n')
    process.kill(process.pid, 'SIGINT')
  })
  try {
    return (await terminal.question(`${question} Type "yes" to continue: `)).trim() === 'yes'
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'AbortError') throw error
    process.stdout.write('\n')
    return false
  } finally {
    terminal.close()
  }
}

/** Whoever reads what a command prints may have seen enough (`doctor | head`): that ends it, as it ends every program. */
export function endWithReader(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error) => {
      if (systemCode(error) !== 'EPIPE') throw error
      process.exit(exitCodes.closedPipe)
    })
  }
}
