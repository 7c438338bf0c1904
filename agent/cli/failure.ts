/** Owns how a command that failed ends: the message on standard error, and the exit code. */
import { AgentError, ConfigError } from '../core/errors.ts'
import { reasons } from '../core/reason-catalog.ts'
import { exitCodes } from './exit-codes.ts'

/** Wrong arguments: the message, and status 64. */
export class UsageError extends Error {}

/**
 * Each bundle has its own copy of the classes, so each reports what was thrown in it.
 * @param command whose help explains a wrong argument
 */
export function reportFailure(error: unknown, command?: string): number {
  const say = (text: string): boolean => process.stderr.write(`calico-vault-agent: ${text}\n`)
  if (error instanceof ConfigError) {
    const { problems } = error
    say(`the configuration has ${problems.length === 1 ? 'a problem' : `${problems.length} problems`}:`)
    for (const problem of problems) process.stderr.write(`  - ${problem}\n`)
    process.stderr.write('  All variables: calico-vault-agent --help\n')
    return exitCodes.config
  }
  if (error instanceof UsageError) {
    say(`${error.message}; see calico-vault-agent ${command === undefined ? '' : `${command} `}--help`)
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
