/** Owns the CA set: which certificates stand in `etcd-ca`, and which must stay because a certificate in use needs them. */
import type { X509Certificate } from 'node:crypto'
import type { Bundle } from './bundle.ts'
import {
  commonName,
  describeName,
  findChain,
  issuedByWithin,
  isValidAt,
  type Validity,
  validityOf,
} from './certificate.ts'

/** What has been published and may still be in use: a leaf, and the CA set that it was published with. */
export type LiveCertificate = Pick<Bundle, 'leaf' | 'intermediates' | 'ca'>

/**
 * The union of the issuers of the mount, etcd's own CA, and every earlier CA that a live certificate chains to. Expired ones are left
 * out. The order is stable (by expiry, latest first), so that equal sets make equal files.
 */
export function planCaSet(
  issuers: readonly X509Certificate[],
  etcdCa: readonly X509Certificate[],
  live: readonly LiveCertificate[],
  atMs: number,
): X509Certificate[] {
  const needed = live.flatMap((each) => neededCa(each, atMs))
  const unique = new Map(
    [...issuers, ...etcdCa, ...needed].map((certificate) => [certificate.fingerprint256, certificate]),
  )
  return [...unique.values()]
    .filter((certificate) => validityOf(certificate).notAfterMs > atMs)
    .toSorted((one, other) => validityOf(other).notAfterMs - validityOf(one).notAfterMs || compare(one, other))
}

/** The CA certificates that a live certificate chains to: none once it has expired. */
export function neededCa(live: LiveCertificate, atMs: number): X509Certificate[] {
  if (validityOf(live.leaf).notAfterMs <= atMs) return []
  const chain = findChain(live.leaf, [...live.intermediates, ...live.ca], live.ca, atMs) ?? []
  const anchor = chain.at(-1)
  if (anchor === undefined) return []
  // The set may hold the issuer itself and also what stands above it: keep the whole path, for readers that want a root.
  return withIssuersAbove(
    anchor,
    live.ca.filter((each) => isValidAt(each, atMs)),
  )
}

/** The certificate, and of the others its issuer, the issuer of that, and so on. */
export function withIssuersAbove(certificate: X509Certificate, others: readonly X509Certificate[]): X509Certificate[] {
  const path = new Set([certificate])
  // If there are too many to check, one too many is kept.
  const issuedBy = issuedByWithin(true)
  for (const each of path) for (const other of others) if (!path.has(other) && issuedBy(each, other)) path.add(other)
  return [...path]
}

/** One CA certificate of `etcd-ca`, as metrics and logs name it. */
export interface CaUse {
  /** The first 16 hexadecimal digits of the SHA-256 of the certificate. */
  readonly fingerprint: string
  /** The common name, shortened. */
  readonly subject: string
  /** When the last certificate that may be in use and chains to it expires; 0 if none does. */
  readonly inUseUntilMs: number
}

/** Who needs which CA certificate for how long: an issuer that nobody needs any more may be retired. */
export function caUses(
  ca: readonly X509Certificate[],
  live: readonly LiveCertificate[],
  atMs: number,
): readonly CaUse[] {
  const until = new Map<string, number>()
  for (const each of live) {
    const { notAfterMs } = validityOf(each.leaf)
    for (const { fingerprint256 } of neededCa(each, atMs)) {
      until.set(fingerprint256, Math.max(until.get(fingerprint256) ?? 0, notAfterMs))
    }
  }
  return ca.map((certificate) => ({
    fingerprint: shortFingerprint(certificate),
    subject: (commonName(certificate) ?? describeName(certificate.subject)).slice(0, longestSubject),
    inUseUntilMs: until.get(certificate.fingerprint256) ?? 0,
  }))
}

const longestSubject = 64

/** How metrics, logs and commands name a certificate: the first 16 hexadecimal digits of its SHA-256. */
export function shortFingerprint({ fingerprint256 }: X509Certificate): string {
  return fingerprint256.replaceAll(':', '').slice(0, 16).toLowerCase()
}

export function isSameCaSet(one: readonly X509Certificate[], other: readonly X509Certificate[]): boolean {
  const prints = new Set(one.map((certificate) => certificate.fingerprint256))
  return prints.size === other.length && other.every((certificate) => prints.has(certificate.fingerprint256))
}

export function earliestExpiryMs(ca: readonly X509Certificate[]): number {
  return Math.min(...ca.map((certificate) => validityOf(certificate).notAfterMs))
}

function compare(one: X509Certificate, other: X509Certificate): number {
  return one.fingerprint256 < other.fingerprint256 ? -1 : 1
}

/** When the bundle works: while its leaf is valid, or less if a CA that it chains to ends before. */
export function workingTime({ leaf, intermediates, ca }: LiveCertificate, nowMs: number): Validity {
  const { notBeforeMs, notAfterMs } = validityOf(leaf)
  const atMs = Math.min(Math.max(nowMs, notBeforeMs), notAfterMs - 1)
  const chain = findChain(leaf, intermediates, ca, atMs) ?? []
  return { notBeforeMs, notAfterMs: Math.min(notAfterMs, ...chain.map((each) => validityOf(each).notAfterMs)) }
}
