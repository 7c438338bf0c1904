/** Owns what this process knows of the published CA set over time: what consumers may have loaded, and who needs which CA. */
import type { X509Certificate } from 'node:crypto'
import type { PublishedCertificate } from '../observe/events.ts'
import { caUses, earliestExpiryMs, isSameCaSet, type LiveCertificate } from '../pki/ca-set.ts'

/**
 * Takes the set that is published now, with the certificates that may be in use; answers what there is to tell of it.
 * @param atMs the corrected time, by which certificates are judged
 * @param wallMs the wall clock, by which consumers' starts are told
 */
export type CaHistory = (
  ca: readonly X509Certificate[],
  live: readonly LiveCertificate[],
  atMs: number,
  wallMs: number,
) => PublishedCertificate['ca']

export function createCaHistory(): CaHistory {
  let first: readonly X509Certificate[] | undefined
  let known: ReadonlySet<string> = new Set()
  let addedAtMs = 0
  return (ca, live, atMs, wallMs) => {
    first ??= ca
    if (ca.some(({ fingerprint256 }) => !known.has(fingerprint256))) addedAtMs = wallMs
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
