/**
 * Owns running the operator's program: no shell, no standard input, an environment of its own, and a deadline at which it is killed
 * together with what it has started.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { AgentError, messageOf, systemCode } from '../../core/errors.ts'
import { createOutput } from './output.ts'

export interface ProgramRun {
  readonly argv: readonly [string, ...string[]]
  readonly environment: Readonly<Record<string, string | undefined>>
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
    const child = start(program, args, environment)
    const output = createOutput()
    // None if no descriptor was left for them; the event `error` follows.
    const pipes = [child.stdout ?? [], child.stderr ?? []].flat()
    for (const pipe of pipes) pipe.on('data', output.add).on('error', () => {})
    let isLate = false
    const deadline = setTimeout(() => {
      isLate = true
      killGroup(child.pid)
    }, timeoutMs)

    child.on('error', (error) => {
      clearTimeout(deadline)
      reject(notStarted(program, error))
    })
    child.once('exit', (code, signal) => {
      clearTimeout(deadline)
      const finish = (): void => {
        clearTimeout(rest)
        for (const pipe of pipes) pipe.destroy()
        const said = output.text()
        if (code === 0 && !isLate) return resolve(said)
        const ended = code === null ? `was ended by ${signal}` : `ended with status ${code}`
        const late = `ran for longer than ${timeoutMs / 1000} s and was killed with its children`
        const detail = `${program} ${isLate ? late : ended}${said === '' ? '' : `: ${said}`}`
        reject(new AgentError(isLate ? 'on-publish-timeout' : 'on-publish-failed', detail))
      }
      const rest = setTimeout(finish, lastOutputMs)
      child.once('close', finish)
    })
  })
}

/** @throws AgentError: some system errors are thrown by `spawn`, others come as an event */
function start(program: string, args: readonly string[], environment: ProgramRun['environment']): ChildProcess {
  try {
    // A process group of its own, so that its children can be killed with it.
    return spawn(program, args, {
      env: { ...environment },
      cwd: '/',
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
  } catch (error) {
    if (systemCode(error) === '') throw error
    throw notStarted(program, error)
  }
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It has ended by itself in this very moment.
  }
}

function notStarted(program: string, error: unknown): AgentError {
  return new AgentError('on-publish-failed', `${program}: ${messageOf(error)}`, { cause: error })
}
