/**
 * Owns how many certificates a target may have made: a pure decision over when the last ones were. A process that dies after
 * every signature, an identity that changes to and fro, a gate that refuses everything: each of them would keep Vault signing
 * forever. What is needed to stay valid is never stopped, only slowed down.
 */

/** The budget is a number of certificates in any hour. */
export const windowMs = 3_600_000

/** More than a node ever needs in an hour of hard luck: a start or two, a changed CA, a few refusals by the gate. */
const least = 12
/** Short-lived certificates are renewed more often: so many times what the schedule takes. */
const timesSchedule = 4

export interface IssuanceContext {
  /** Certificates in any hour. */
  readonly limit: number
  readonly nowMs: number
  /** From then on a new certificate is needed to stay valid; in the past if there is none at all. */
  readonly neededAtMs: number
}

/** The default limit for certificates of this lifetime. */
export function planBudget(lifetimeMs: number, renewAt: number): number {
  return Math.max(least, Math.ceil((timesSchedule * windowMs) / (lifetimeMs * renewAt)))
}

/**
 * The times of the window, in order. One in the future was written before the clock was set back, or by somebody else: it counts
 * from now on, so that it can neither be forgotten at once nor block for longer than the others.
 */
export function planRecent(issuedAtMs: readonly number[], nowMs: number): number[] {
  return issuedAtMs
    .map((ms) => Math.min(ms, nowMs))
    .filter((ms) => ms > nowMs - windowMs)
    .toSorted((one, other) => one - other)
}

/**
 * How long to wait before the next certificate; 0: not at all. While the budget lasts, nobody waits. Then it takes until the
 * oldest leaves the window, or, once a certificate is needed, the hour's share of one since the last: so an hour never sees
 * more than twice the limit.
 * @param recent from planRecent
 */
export function planIssuance(recent: readonly number[], { limit, nowMs, neededAtMs }: IssuanceContext): number {
  const oldest = recent.at(-limit)
  const newest = recent.at(-1)
  if (oldest === undefined || newest === undefined) return 0
  const allowedAtMs = Math.min(oldest + windowMs, Math.max(newest + windowMs / limit, neededAtMs))
  return Math.max(allowedAtMs - nowMs, 0)
}
