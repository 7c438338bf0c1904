/** What this process knows of the published CA set over time: what consumers may have loaded, and who needs which CA. */
import type { X509Certificate } from 'node:crypto'
import { caUses, earliestExpiryMs, isSameCaSet, type LiveCertificate } from '../pki/ca-set.ts'
import type { PublishedCertificate } from './observe/events.ts'

export interface CaHistory {
  /** The first set that this process has seen: consumers may have loaded it. */
  readonly first: readonly X509Certificate[]
  readonly now: readonly X509Certificate[]
  /** When the files with the CA that came last were written, by the wall clock: the starts of consumers are compared with it. */
  readonly addedAtMs: number
}

/** @param writtenAtMs when the set was written, by the wall clock */
export function extendCaHistory(
  before: CaHistory | undefined,
  ca: readonly X509Certificate[],
  writtenAtMs: number,
): CaHistory {
  if (before === undefined) return { first: ca, now: ca, addedAtMs: writtenAtMs }
  const known = new Set(before.now.map(({ fingerprint256 }) => fingerprint256))
  const hasMore = ca.some(({ fingerprint256 }) => !known.has(fingerprint256))
  return { first: before.first, now: ca, addedAtMs: hasMore ? writtenAtMs : before.addedAtMs }
}

/**
 * What there is to tell of the set.
 * @param live certificates that may be in use
 * @param atMs the corrected time, by which certificates are judged
 */
export function describeCaHistory(
  { first, now, addedAtMs }: CaHistory,
  live: readonly LiveCertificate[],
  atMs: number,
): PublishedCertificate['ca'] {
  return {
    count: now.length,
    earliestExpiryMs: earliestExpiryMs(now),
    changedSinceStart: !isSameCaSet(first, now),
    addedAtMs,
    certificates: caUses(now, live, atMs),
  }
}
