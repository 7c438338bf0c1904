/**
 * Owns the exit codes: those of sysexits(3) that service managers and people know; `differences` is that of
 * `plan --detailed-exitcode`, `warnings` doctor's, `declined` that of an apply that was answered with no.
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
