/** Owns how a command ends: by a signal, with which exit code, and if it failed, with which message on standard error. */
import { AgentError, ConfigError } from '../core/errors.ts'
import { reasons } from '../core/reason-catalog.ts'
import type { Listener } from '../sidecar/observe/events.ts'

/**
 * Those of sysexits(3), which service managers and people know. `differences` is that of `plan --detailed-exitcode`, `warnings`
 * doctor's, `declined` that of an apply that was answered with no.
 */
export const exitCodes = {
  ok: 0,
  warnings: 1,
  declined: 1,
  differences: 2,
  usage: 64,
  unavailable: 69,
  bug: 70,
  config: 78,
  /** 128 and SIGPIPE, as shells count. */
  closedPipe: 141,
} as const

/** Wrong arguments: the message, and status 64. */
export class UsageError extends Error {}

/**
 * For whoever calls a command. It is in each bundle of its own, and knows the classes of errors of that bundle.
 * @param command whose help explains a wrong argument
 */
export function reportFailure(error: unknown, command = ''): number {
  const say = (text: string): boolean => process.stderr.write(`calico-vault-agent: ${text}\n`)
  if (error instanceof ConfigError) {
    const { problems } = error
    say(`the configuration has ${problems.length === 1 ? 'a problem' : `${problems.length} problems`}:`)
    for (const problem of problems) process.stderr.write(`  - ${problem}\n`)
    process.stderr.write('  All variables: calico-vault-agent --help\n')
    return exitCodes.config
  }
  if (error instanceof UsageError) {
    say(`${error.message}; see ${['calico-vault-agent', command, '--help'].filter(Boolean).join(' ')}`)
    return exitCodes.usage
  }
  if (error instanceof AgentError) {
    say(`${reasons[error.code].summary} (${error.code})`)
    for (const line of error.message.split('\n')) process.stderr.write(`  ${line}\n`)
    process.stderr.write(`  ${error.advice}\n  More: ${error.runbook}\n`)
    return exitCodes.unavailable
  }
  say(`this is a bug, please report it: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
  return exitCodes.bug
}

/** What SIGTERM and SIGINT abort. */
export function stopBySignal(emit: Listener): AbortController {
  const stop = new AbortController()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      emit({ type: 'stopped', signal })
      stop.abort()
    })
  }
  return stop
}
