/**
 * Owns the signed candidate that could not be published yet: the directory could not take it, or etcd did not accept it. The
 * next attempts need no other one, as long as it is fresh.
 */
import { AgentError } from '../errors.ts'
import { isProbeCode } from '../gate/probe/outcome.ts'
import { type ReasonCode, reasons } from '../reasons.ts'
import type { BundleSource, Candidate, News } from '../source/source.ts'
import type { Publisher } from './publisher.ts'

export interface Shelf {
  /** The candidate that is waiting, unless it is stale. */
  take(): Promise<Candidate | undefined>
  /** The candidate was not published for this reason: keeps it where another one would fare no better. */
  put(candidate: Candidate, reason: ReasonCode): void
  /** A new certificate is wanted: only what the directory could not take is still as good as that. */
  renew(): void
  clear(): void
}

export interface ShelfOptions {
  /** The corrected time (vault/skew.ts). */
  readonly now: () => number
  readonly publisher: Pick<Publisher, 'renewAtMs'>
  readonly source: Pick<BundleSource, 'makes'>
  /** Asks the source for news. @throws AgentError */
  readonly look: () => Promise<News>
}

/** Vault may sign the next one with another issuer, or under another name: worth a try now and then. */
const rejectedMs = 3_600_000

export function createShelf({ now, publisher, source, look }: ShelfOptions): Shelf {
  let kept: { candidate: Candidate; reason: ReasonCode; sinceMs: number } | undefined

  /** What somebody else makes is read again: they may have written another one. */
  const isKept = (reason: ReasonCode): boolean =>
    source.makes && (reasons[reason].about === 'store' || isProbeCode(reason))

  /** Where etcd's server was not trusted, its CA may have come to the mount since. */
  async function withNewIssuers(candidate: Candidate): Promise<Candidate> {
    try {
      return { ...candidate, issuers: [...((await look()).issuers ?? []), ...candidate.issuers] }
    } catch (error) {
      if (!(error instanceof AgentError)) throw error
      return candidate
    }
  }

  return {
    async take() {
      if (kept === undefined) return undefined
      const { candidate, reason, sinceMs } = kept
      const dueMs = publisher.renewAtMs(candidate.leaf, sinceMs)
      const staleMs = reason === 'etcd-rejected-certificate' ? Math.min(dueMs, sinceMs + rejectedMs) : dueMs
      if (now() >= staleMs) return undefined
      return reason === 'etcd-untrusted-server' ? await withNewIssuers(candidate) : candidate
    },
    put(candidate, reason) {
      const earlier = kept?.candidate.leaf === candidate.leaf ? kept : { candidate, sinceMs: now() }
      kept = isKept(reason) ? { ...earlier, reason } : undefined
    },
    renew() {
      if (kept !== undefined && isProbeCode(kept.reason)) kept = undefined
    },
    clear() {
      kept = undefined
    },
  }
}
