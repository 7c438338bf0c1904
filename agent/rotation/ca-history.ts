/** Owns what this process knows of the published CA set over time: what consumers may have loaded, and who needs which CA. */
import type { X509Certificate } from 'node:crypto'
import type { PublishedCertificate } from '../observe/events.ts'
import { caUses, earliestExpiryMs, isSameCaSet, type LiveCertificate } from '../pki/ca-set.ts'

/**
 * Takes the set that is published now, with the certificates that may be in use; answers what there is to tell of it.
 * @param atMs the corrected time, by which certificates are judged
 * @param writtenAtMs when it was written, by the wall clock: consumers' starts are told by that
 */
export type CaHistory = (
  ca: readonly X509Certificate[],
  live: readonly LiveCertificate[],
  atMs: number,
  writtenAtMs: number,
) => PublishedCertificate['ca']

export function createCaHistory(): CaHistory {
  let first: readonly X509Certificate[] | undefined
  let known: ReadonlySet<string> = new Set()
  let addedAtMs = 0
  return (ca, live, atMs, writtenAtMs) => {
    first ??= ca
    if (ca.some(({ fingerprint256 }) => !known.has(fingerprint256))) addedAtMs = writtenAtMs
    known = new Set(ca.map(({ fingerprint256 }) => fingerprint256))
    return {
      count: ca.length,
      earliestExpiryMs: earliestExpiryMs(ca),
      changedSinceStart: !isSameCaSet(first, ca),
      addedAtMs,
      certificates: caUses(ca, live, atMs),
    }
  }
}
