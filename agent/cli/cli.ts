/** Owns the process: arguments to a command, its errors to messages, its result to the exit code. */
import { hostname } from 'node:os'
import { parseConfig } from '../config/config.ts'
import { systemClock } from '../core/clock.ts'
import { parseDuration } from '../core/duration.ts'
import { keepTlsVerified } from '../core/tls.ts'
import { readContainer } from '../sidecar/observe/container.ts'
import type { AgentTask } from './commands.ts'
import { reportFailure } from './exit.ts'

async function main(argv: readonly string[]): Promise<number> {
  let task: AgentTask | undefined = plainTask(argv)
  if (task === undefined) {
    const { runCommandLine } = await import('./commands.ts')
    const done = await runCommandLine(argv)
    if (typeof done === 'number') return done
    task = done
  }
  const config = parseConfig(process.env, hostname())
  if (task.command === 'init') {
    const { init } = await import('./init.ts')
    return await init(config, task.waitMs)
  }
  if (task.command === 'started') {
    const { started } = await import('./started.ts')
    const { waitMs } = task
    return await started({
      listen: config.listen,
      container: readContainer(),
      waitMs,
      clock: systemClock,
      say: console.error,
    })
  }
  const { run } = await import('./run.ts')
  return await run(config)
}

/** `run`, `init` and `started` as manifests have them. Undefined: everything else, and everything that is wrong. */
function plainTask(argv: readonly string[]): AgentTask | undefined {
  const [command = 'run', ...rest] = argv
  if (command === 'run' && rest.length === 0) return { command }
  if (command !== 'init' && command !== 'started') return undefined
  const [option, value = '', ...more] = rest.flatMap((each) => each.split(/(?<=^--wait)=/))
  if (option === undefined) return { command, waitMs: 60_000 }
  const waitMs = parseDuration(value)
  return option === '--wait' && waitMs !== undefined && more.length === 0 ? { command, waitMs } : undefined
}

for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (error: unknown) => process.exit(reportFailure(error)))
}

const warning = keepTlsVerified(process.env)
if (warning !== undefined) process.stderr.write(`calico-vault-agent: ${warning}\n`)

// exit(): an open keep-alive connection or a watcher must not hold the process.
main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: unknown) => process.exit(reportFailure(error)),
)
