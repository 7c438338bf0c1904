/**
 * Owns the way from arguments to a command, and the bundle dist/commands.mjs. `run`, `init` and `started` never load it when they are
 * asked for in the plain way: a sidecar needs no library for its arguments.
 */
import { setImmediate } from 'node:timers/promises'
import { commandOf, parseCommandLine, type Task } from './command-line.ts'
import { exitCodes, reportFailure } from './exit.ts'
import { endWithReader } from './terminal.ts'

/** What only the agent's own bundle can do. */
export type AgentTask = Extract<Task, { command: 'run' | 'init' | 'started' }>

/** Does what the arguments ask for; answers with the exit code, or with what the caller has to do. */
export async function runCommandLine(argv: readonly string[]): Promise<number | AgentTask> {
  endWithReader()
  const done = await runTask(argv)
  // Only the next turn of the event loop tells whether somebody has read the last words.
  await setImmediate()
  return done
}

async function runTask(argv: readonly string[]): Promise<number | AgentTask> {
  try {
    const task = parseCommandLine(argv)
    // Each is a bundle of its own, or what only one command needs.
    switch (task.command) {
      case 'print':
        process.stdout.write(task.text)
        return exitCodes.ok
      case 'status':
        return await (await import('./status.ts')).status(task.options)
      case 'renew':
        return await (await import('./renew.ts')).renew()
      case 'doctor':
        return await (await import('./doctor.ts')).doctor(task.options)
      case 'provision':
        return await (await import('./provision.ts')).provision(task.options)
      case 'setup-vault':
        return await (await import('./setup-vault.ts')).setupVault(task.options)
      case 'rotate-ca':
        return await (await import('./rotate-ca.ts')).rotateCa(task.options)
      case 'run':
      case 'init':
      case 'started':
        return task
    }
  } catch (error) {
    return reportFailure(error, commandOf(argv))
  }
}
