/**
 * Owns running the operator's program: no shell, no standard input, an environment of its own, and a deadline at which it is killed
 * together with what it has started.
 */
import { spawn } from 'node:child_process'
import { AgentError } from '../../core/errors.ts'
import { createOutput } from './output.ts'

export interface ProgramRun {
  readonly argv: readonly [string, ...string[]]
  readonly environment: Readonly<Record<string, string>>
  readonly timeoutMs: number
}

/** What is still in the pipes comes at once; a service that the program has left behind may hold them open forever. */
const lastOutputMs = 200

/**
 * @returns the end of its output
 * @throws AgentError with the end of its output, if it fails or takes too long
 */
export function runProgram({ argv: [program, ...args], environment, timeoutMs }: ProgramRun): Promise<string> {
  return new Promise((resolve, reject) => {
    // A process group of its own, so that its children can be killed with it.
    const child = spawn(program, args, {
      env: { ...environment },
      cwd: '/',
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const output = createOutput()
    child.stdout.on('data', output.add)
    child.stderr.on('data', output.add)
    let isLate = false
    const deadline = setTimeout(() => {
      isLate = true
      killGroup(child.pid)
    }, timeoutMs)

    child.once('error', (error) => {
      clearTimeout(deadline)
      reject(new AgentError('on-publish-failed', `${program}: ${error.message}`, { cause: error }))
    })
    child.once('exit', (code, signal) => {
      clearTimeout(deadline)
      let isDone = false
      const finish = (): void => {
        if (isDone) return
        isDone = true
        clearTimeout(rest)
        child.stdout.destroy()
        child.stderr.destroy()
        if (isLate) reject(tooLate(program, timeoutMs, output.text()))
        else if (code === 0) resolve(output.text())
        else reject(ended(program, code ?? signal ?? 'unknown', output.text()))
      }
      const rest = setTimeout(finish, lastOutputMs)
      child.once('close', finish)
    })
  })
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It has ended by itself in this very moment.
  }
}

function tooLate(program: string, timeoutMs: number, output: string): AgentError {
  const detail = `${program} ran for longer than ${timeoutMs / 1000} s and was killed with its children`
  return new AgentError('on-publish-timeout', withOutput(detail, output))
}

function ended(program: string, status: number | string, output: string): AgentError {
  const how = typeof status === 'number' ? `ended with status ${status}` : `was ended by ${status}`
  return new AgentError('on-publish-failed', withOutput(`${program} ${how}`, output))
}

function withOutput(detail: string, output: string): string {
  return output === '' ? detail : `${detail}: ${output}`
}
