/**
 * Owns killing a program at a system call (strace, SIGKILL on entering it): first a run that lists the calls that matter, then one
 * run for each of them.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** A call of the program's main thread, as strace counts it: the nth of its name. */
export interface SystemCall {
  readonly name: string
  readonly nth: number
  /** As strace writes it. */
  readonly text: string
}

export const missingStrace =
  spawnSync('strace', ['-o', '/dev/null', '-e', 'inject=getpid:signal=0', 'true']).error === undefined &&
  spawnSync('strace', ['-o', '/dev/null', 'true']).status === 0
    ? undefined
    : 'needs strace'

/** `-f` is not asked for: Node's synchronous file calls and its sockets are the main thread's. */
const tracedCalls = 'trace=%file,%desc,%network'

export function straceCommand(logFile: string, killAt?: SystemCall): string[] {
  const inject = killAt === undefined ? [] : ['-e', `inject=${killAt.name}:signal=KILL:when=${killAt.nth}`]
  return ['strace', '-qq', '-yy', '-s', '300', '-o', logFile, '-e', tracedCalls, ...inject]
}

/** Runs a program to its end; answers with what has killed it. strace ends as what it runs has ended. */
export function run(command: readonly string[]): Promise<NodeJS.Signals | null> {
  const [program = '', ...args] = command
  return closed(spawn(program, args, { stdio: 'ignore' }))
}

/**
 * Runs a program that writes a dot when it is ready and goes on when it gets a byte; its calls count from there, so that the nth
 * is the same one in every run. Answers with what has killed it.
 */
export async function runFromDot(
  command: readonly string[],
  logFile: string,
  killAt?: SystemCall,
): Promise<NodeJS.Signals | null> {
  const [program = '', ...args] = command
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = closed(child)
  await new Promise((resolve) => child.stdout.once('data', resolve))
  const [strace = '', ...options] = straceCommand(logFile, killAt).filter((option) => option !== '-qq')
  const tracer = spawn(strace, [...options, '-p', String(child.pid)], { stdio: ['ignore', 'ignore', 'pipe'] })
  const traced = closed(tracer)
  // What it says once it is attached.
  await new Promise((resolve) => tracer.stderr.once('data', resolve))
  child.stdin.end('.')
  const signal = await ended
  await traced
  return signal
}

function closed(child: ChildProcess): Promise<NodeJS.Signals | null> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (_code, signal) => resolve(signal))
  })
}

/** The calls of a log for which `matters` holds, each with its number among all calls of its name. */
export function callsIn(logFile: string, matters: (text: string) => boolean): SystemCall[] {
  const counts = new Map<string, number>()
  return readFileSync(logFile, 'utf8')
    .split('\n')
    .flatMap((text) => {
      const name = /^(\w+)\(/.exec(text)?.[1]
      if (name === undefined) return []
      const nth = (counts.get(name) ?? 0) + 1
      counts.set(name, nth)
      return matters(text) ? [{ name, nth, text }] : []
    })
}
