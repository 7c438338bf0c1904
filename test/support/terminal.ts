/** Owns running a command of the program on a terminal, that of script(1), and typing an answer when it asks for one. */
import { spawn, spawnSync } from 'node:child_process'
import { join } from 'node:path'

/** Undefined: there is a script(1). Else why not. */
export const missingTerminal = spawnSync('script', ['--version']).status === 0 ? undefined : 'no script(1)'

/** Keys that a terminal knows. */
export const ctrlC = '\u0003'
export const ctrlD = '\u0004'

/**
 * @param answer as it is typed; with `\n` at its end it is a line
 * @returns all that the terminal showed, and `exit CODE` at its end
 */
export function runOnTerminal(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  answer: string,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const command = [process.execPath, join(import.meta.dirname, '../../dist/main.js'), ...args].join(' ')
    const child = spawn('script', ['-qec', command, '/dev/null'], {
      env: { PATH: process.env['PATH'], TERM: 'xterm', ...env },
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    let text = ''
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      if (text.includes('to continue:') && child.stdin.writable) child.stdin.end(answer)
    })
    child.once('error', reject)
    child.once('close', (code) => resolve(`${text}\nexit ${code}`))
  })
}
