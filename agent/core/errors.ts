/** Owns the one error type of the program: an expected failure with a reason code. Anything else that is thrown is a bug. */
import { type RetryClass, runbookOf } from './reason.ts'
import { type ReasonCode, reasons } from './reason-catalog.ts'

/** An expected failure. It is translated from the outside error where that is caught, and never deeper. */
export class AgentError extends Error {
  override readonly name = 'AgentError'
  readonly code: ReasonCode
  /** What the server asked to wait (Retry-After), in milliseconds. */
  readonly retryAfterMs: number | undefined

  constructor(code: ReasonCode, detail: string, options: { cause?: unknown; retryAfterMs?: number | undefined } = {}) {
    super(printable(detail), options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.retryAfterMs = options.retryAfterMs
  }

  get retry(): RetryClass {
    return reasons[this.code].retry
  }

  get advice(): string {
    return reasons[this.code].advice
  }

  get runbook(): string {
    return runbookOf(this.code)
  }
}

/** The configuration cannot be used: every problem that was found, one line each. Ends the process with status 78. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(problems.join('\n'))
    this.problems = problems
  }
}

/** Names of files, links and certificates may come from anybody, and a message goes to a terminal. Ends of lines are ours. */
function printable(detail: string): string {
  return detail.replaceAll(/[^\P{Cc}\n]+/gu, ' ')
}

/** The system's error code (`ENOENT`, `UND_ERR_SOCKET`, …) of anything that was thrown, or an empty string. */
export function systemCode(error: unknown): string {
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
  const nameless = /^Unknown system error -(\d+)$/.exec(code)?.[1]
  return nameless === undefined ? code : (namesOfErrors[nameless] ?? `E${nameless}`)
}

/** libuv has no name for some of Linux's errors: a quota that is used up, a broken file system, a file server that has forgotten us. */
const namesOfErrors: Readonly<Record<string, string>> = { 116: 'ESTALE', 117: 'EUCLEAN', 122: 'EDQUOT' }

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
