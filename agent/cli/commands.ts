/**
 * Owns the way from arguments to a command, and the bundle dist/commands.mjs. `run`, `init` and `started` never load it when they are
 * asked for in the plain way: a sidecar needs no library for its arguments.
 */
import { setImmediate } from 'node:timers/promises'
import { commandOf, parseCommandLine } from './command-line.ts'
import { exitCodes } from './exit-codes.ts'
import { reportFailure, UsageError } from './failure.ts'
import { endWithReader } from './terminal.ts'

/** What only the agent's own bundle can do. */
export type AgentTask = { readonly command: 'run' } | { readonly command: 'init' | 'started'; readonly waitMs: number }

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
    switch (task.command) {
      case 'print':
        process.stdout.write(task.text)
        return exitCodes.ok
      case 'status': {
        const { status } = await import('./status.ts')
        return await status(task.options)
      }
      case 'renew': {
        const { renew } = await import('./renew.ts')
        return await renew()
      }
      case 'doctor': {
        const { doctor } = await import('./doctor.ts')
        return await doctor(task.options)
      }
      case 'provision': {
        const { provision } = await import('./provision.ts')
        return await provision(task.options)
      }
      case 'setup-vault': {
        const { setupVault } = await import('./setup-vault.ts')
        return await setupVault(task.options)
      }
      case 'rotate-ca': {
        const { rotateCa } = await import('./rotate-ca.ts')
        return await rotateCa(task.options)
      }
      case 'run':
      case 'init':
      case 'started':
        return task
    }
  } catch (error) {
    return reportFailure(error, error instanceof UsageError ? commandOf(argv) || undefined : undefined)
  }
}
