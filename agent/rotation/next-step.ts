/** Owns the decision what a target does next: a pure function of its state and the time. */
import type { ReasonCode } from '../reasons.ts'

export interface TargetState {
  /** When the published certificate is renewed; undefined where none is published. */
  readonly renewAtMs: number | undefined
  /** Why it is renewed at once, whatever the schedule says. */
  readonly requested: ReasonCode | undefined
  /** No attempt before this moment: the last one failed. */
  readonly retryAtMs: number | undefined
  /** When the source is looked at next. */
  readonly pollAtMs: number
}

export type Step =
  | { readonly do: 'renew'; readonly reason: ReasonCode }
  | { readonly do: 'poll' }
  | { readonly do: 'wait'; readonly untilMs: number }

export function planStep(state: TargetState, nowMs: number): Step {
  const { renewAtMs, requested, retryAtMs, pollAtMs } = state
  const reason = requested ?? (renewAtMs === undefined ? 'never-published' : 'renewal-due')
  const isDue = requested !== undefined || renewAtMs === undefined || renewAtMs <= nowMs
  // While attempts fail, each of them looks at the source anyway.
  if (isDue)
    return retryAtMs !== undefined && retryAtMs > nowMs ? { do: 'wait', untilMs: retryAtMs } : { do: 'renew', reason }
  return pollAtMs <= nowMs ? { do: 'poll' } : { do: 'wait', untilMs: Math.min(renewAtMs, pollAtMs) }
}

/**
 * When the source is looked at next: once in every interval, at the node's own moment of it.
 * @param slot from 0 to 1 (schedule.ts)
 */
export function planPoll(intervalMs: number, slot: number, nowMs: number): number {
  const nextMs = (Math.floor(nowMs / intervalMs - slot) + 1 + slot) * intervalMs
  // At the moment itself the division may round down to the interval before.
  return nextMs > nowMs ? nextMs : nextMs + intervalMs
}
