/**
 * Owns the signed candidate that could not be published yet: the directory could not take it, or etcd did not accept it. The
 * next attempts need no other one, as long as it is fresh.
 */
import type { X509Certificate } from 'node:crypto'
import { isProbeCode } from '../gate/probe/outcome.ts'
import { type ReasonCode, reasons } from '../reasons.ts'
import type { Candidate } from '../source/source.ts'

export interface Shelf {
  /** The candidate that is waiting, unless it is stale. */
  take(): Candidate | undefined
  /** The candidate was not published for this reason: keeps it where another one would fare no better. */
  put(candidate: Candidate, reason: ReasonCode): void
  /** A new certificate is wanted: only what the directory could not take is still as good as that. */
  renew(): void
  clear(): void
}

export interface ShelfOptions {
  /** The corrected time (vault/skew.ts). */
  readonly now: () => number
  /** When a certificate that was obtained at this moment is to be renewed. */
  readonly renewAtMs: (leaf: X509Certificate, issuedAtMs: number) => number
}

/** Vault may sign the next one with another issuer, or under another name: worth a try now and then. */
const rejectedMs = 3_600_000

export function createShelf({ now, renewAtMs }: ShelfOptions): Shelf {
  let kept: { candidate: Candidate; reason: ReasonCode; sinceMs: number } | undefined

  const isKept = (reason: ReasonCode): boolean => reasons[reason].about === 'store' || isProbeCode(reason)

  return {
    take() {
      if (kept === undefined) return undefined
      const { candidate, reason, sinceMs } = kept
      const dueMs = renewAtMs(candidate.leaf, sinceMs)
      const staleMs = reason === 'etcd-rejected-certificate' ? Math.min(dueMs, sinceMs + rejectedMs) : dueMs
      return now() < staleMs ? candidate : undefined
    },
    put(candidate, reason) {
      const sinceMs = kept?.candidate.leaf === candidate.leaf ? kept.sinceMs : now()
      kept = isKept(reason) ? { candidate, reason, sinceMs } : undefined
    },
    renew() {
      if (kept !== undefined && isProbeCode(kept.reason)) kept = undefined
    },
    clear() {
      kept = undefined
    },
  }
}
