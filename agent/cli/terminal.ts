/** Owns what the commands that act on a server do with a terminal: colour, and asking before anything is changed. */
import { createInterface } from 'node:readline/promises'
import { UsageError } from './failure.ts'

export type Paint = (text: string, colour: '+' | '~' | '-' | '!' | 'bold') => string

const colours = { '+': 32, '~': 33, '-': 31, '!': 33, bold: 1 } as const

/** https://no-color.org */
export function painter(isTerminal: boolean, env: Readonly<Record<string, string | undefined>>): Paint {
  const paints = isTerminal && !env['NO_COLOR'] && env['TERM'] !== 'dumb'
  return (text, colour) => (paints ? `\x1b[${colours[colour]}m${text}\x1b[0m` : text)
}

/** Where nobody can be asked, the yes must be given beforehand. @throws UsageError */
export function refuseUnasked(command: string, yes: boolean): void {
  if (!yes && !(process.stdin.isTTY && process.stdout.isTTY)) {
    throw new UsageError(`${command} needs --yes outside a terminal`)
  }
}

export async function agrees(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout })
  try {
    return (await terminal.question(`${question} Only "yes" is a yes: `)).trim() === 'yes'
  } finally {
    terminal.close()
  }
}
