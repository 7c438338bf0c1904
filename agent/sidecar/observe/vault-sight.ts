/** Owns when Vault was seen last, by which request, and since when it fails: every request counts, a poll of the issuers too. */
import type { Clock } from '../../core/clock.ts'
import { type ReasonCode, reasons } from '../../core/reason-catalog.ts'
import type { Operation } from '../../vault/vault-event.ts'
import type { AgentEvent } from './events.ts'

export interface VaultSight {
  /** Undefined until Vault has answered. */
  readonly answered: { readonly atMs: number; readonly operation: Operation } | undefined
  /** Of the last request; undefined if Vault answered it. */
  readonly failure: VaultFailure | undefined
}

export interface VaultFailure {
  readonly reason: ReasonCode
  readonly atMs: number
  readonly firstAtMs: number
}

/** What the sight is after one more request; a refusal is an answer. */
export function seeVault(before: VaultSight, event: AgentEvent, clock: Clock): VaultSight {
  if (event.type !== 'vault-request') return before
  const atMs = clock.now()
  const { operation, outcome } = event
  if (!isReason(outcome) || reasons[outcome].retry !== 'outage') {
    return { answered: { atMs, operation }, failure: undefined }
  }
  const firstAtMs = before.failure?.firstAtMs ?? atMs
  return { ...before, failure: { reason: outcome, atMs, firstAtMs } }
}

export const unseenVault: VaultSight = { answered: undefined, failure: undefined }

function isReason(outcome: string): outcome is ReasonCode {
  return Object.hasOwn(reasons, outcome)
}
