/** Owns the process: arguments to a command, its errors to messages, its result to the exit code. */
import { hostname } from 'node:os'
import { parseConfig } from '../config/config.ts'
import { systemClock } from '../core/clock.ts'
import { parseDuration } from '../core/duration.ts'
import { keepTlsVerified } from '../core/tls-verification.ts'
import { readContainer } from '../sidecar/observe/container.ts'
import { exitCodes } from './exit-codes.ts'
import { reportFailure, UsageError } from './failure.ts'
import type { CommandName } from './help.ts'

const commandNames: readonly CommandName[] = ['run', 'init', 'started', 'status', 'doctor', 'provision', 'setup-vault']

async function main(argv: readonly string[]): Promise<number> {
  const isNamed = argv[0] !== undefined && !argv[0].startsWith('-')
  const command = isNamed ? commandNames.find((name) => name === argv[0]) : 'run'
  if (command === undefined) throw new UsageError(`there is no command ${argv[0] ?? ''}`)
  const args = isNamed ? argv.slice(1) : argv
  if (args.includes('--help') || args.includes('-h')) return await printHelp(isNamed ? command : undefined)
  if (args.includes('--version')) return await printVersion()
  if (command === 'init') {
    const waitMs = readWait(command, args)
    const config = parseConfig(process.env, hostname())
    const { init } = await import('./init.ts')
    return await init(config, waitMs)
  }
  if (command === 'started') {
    const waitMs = readWait(command, args)
    const { listen } = parseConfig(process.env, hostname())
    const { started } = await import('./started.ts')
    return await started({ listen, container: readContainer(), waitMs, clock: systemClock, say: console.error })
  }
  if (command === 'status') {
    const { status } = await import('./status.ts')
    return await status(args)
  }
  if (command === 'doctor') {
    const { doctor } = await import('./doctor.ts')
    return await doctor(args)
  }
  if (command === 'provision') {
    const { provision } = await import('./provision.ts')
    return await provision(args)
  }
  if (command === 'setup-vault') {
    const { setupVault } = await import('./setup-vault.ts')
    return await setupVault(args)
  }
  if (args[0] !== undefined) throw new UsageError(`run takes no ${args[0]}`)
  const config = parseConfig(process.env, hostname())
  const { run } = await import('./run.ts')
  return await run(config)
}

function readWait(command: CommandName, args: readonly string[]): number {
  const [option, ...rest] = args.flatMap((arg) => arg.split(/(?<=^--wait)=/))
  if (option === undefined) return 60_000
  if (option !== '--wait') throw new UsageError(`${command} takes no ${option}`)
  const waitMs = parseDuration(rest[0] ?? '')
  if (waitMs === undefined || rest.length > 1) throw new UsageError('--wait takes one duration such as 30s')
  return waitMs
}

async function printHelp(command: CommandName | undefined): Promise<number> {
  const { commandHelp, generalHelp } = await import('./help.ts')
  process.stdout.write(`${command === undefined ? generalHelp() : commandHelp[command].text}\n`)
  return exitCodes.ok
}

async function printVersion(): Promise<number> {
  const { version } = await import('../core/version.ts')
  process.stdout.write(`calico-vault-agent ${version} (node ${process.versions.node})\n`)
  return exitCodes.ok
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
