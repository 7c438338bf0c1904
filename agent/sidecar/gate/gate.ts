/**
 * Owns the gate: the checks that a bundle passes before it is published, one pure function each, their order and the verdict. A
 * check answers with what is wrong, or with undefined. That the bundle parses at all is the first check and happened when it
 * became a Bundle.
 */
import { isoTime, type SaneClocks } from '../../core/clock.ts'
import { AgentError } from '../../core/errors.ts'
import type { ReasonCode } from '../../core/reason-catalog.ts'
import type { Bundle } from '../../pki/bundle.ts'
import { type LiveCertificate, neededCa } from '../../pki/ca-set.ts'
import { commonName, describeName, findChain, isClientCertificate, validityOf } from '../../pki/certificate.ts'
import { isKeyPair } from '../../pki/key.ts'

/** What the gate judges against. Times are in milliseconds since the epoch. */
export interface GateContext {
  /** The best estimate (vault/skew.ts). */
  readonly nowMs: number
  /** A certificate's dates are refused only if they are wrong at every time between these. */
  readonly clocks: SaneClocks
  readonly commonName: string
  /** The least that must be left of the lifetime. */
  readonly minLifetimeMs: number
  /** Certificates that have been published and may be in use. */
  readonly live: readonly LiveCertificate[]
}

/** A certificate with less is not worth publishing; short-lived ones may have a tenth of what was asked for. */
const shortestLifetimeMs = 60_000

/** @param ttlSeconds what was asked for; undefined if whoever makes the certificates decides */
export function minLifetimeFor(ttlSeconds: number | undefined): number {
  return Math.min(shortestLifetimeMs, (ttlSeconds ?? Number.POSITIVE_INFINITY) * 100)
}

type Check = (candidate: Bundle, context: GateContext) => string | undefined

/** Certificates have whole seconds. */
const clockToleranceMs = 2000

const keyMatches: Check = ({ leaf, key }) => {
  if (!leaf.checkPrivateKey(key)) {
    const [ours, theirs] = [key, leaf.publicKey].map((each) => each.asymmetricKeyType ?? 'unknown')
    return `the ${ours} key is not the one of the certificate (${theirs})`
  }
  return isKeyPair(key, leaf.publicKey) ? undefined : 'the private key is damaged: what it signs cannot be verified'
}

/** The curves that Go's crypto/tls signs with, by OpenSSL's names, and their object identifiers in DER (RFC 5480). */
const curvesOfGo: Readonly<Record<string, string>> = {
  prime256v1: '06082a8648ce3d030107',
  secp384r1: '06052b81040022',
  secp521r1: '06052b81040023',
}

/** Go refuses smaller ones in its x509 and TLS (GODEBUG rsa1024min). */
const leastRsaBits = 1024

/**
 * Calico and etcd are written in Go, which knows fewer kinds of keys than OpenSSL: a file with another one is not loaded at all.
 * @see https://github.com/golang/go/blob/master/src/crypto/tls/auth.go (signatureSchemesForCertificate)
 */
const loadsInGo: Check = ({ leaf, key }) => {
  const { asymmetricKeyType: type = 'unknown', asymmetricKeyDetails: details = {} } = leaf.publicKey
  const { namedCurve = 'unknown', modulusLength = 0 } = details
  if (type === 'ed25519') return undefined
  if (type === 'ec') {
    const id = curvesOfGo[namedCurve]
    if (id === undefined) return `its curve is ${namedCurve}`
    // A curve may also be written out, which OpenSSL reads and RFC 5480 forbids.
    const texts = [leaf.publicKey.export({ type: 'spki', format: 'der' }), key.export({ type: 'pkcs8', format: 'der' })]
    return texts.every((der) => der.includes(id, 0, 'hex')) ? undefined : `its curve ${namedCurve} is not named`
  }
  if (type === 'rsa') return modulusLength >= leastRsaBits ? undefined : `its RSA key has ${modulusLength} bits`
  return `its key is of the type ${type}`
}

const chainsToPublishedCa: Check = ({ leaf, intermediates, ca }, { nowMs, clocks }) => {
  // A chain is judged at a moment at which the leaf is valid, so that a date problem is told as what it is.
  const { notBeforeMs, notAfterMs } = validityOf(leaf)
  const chains = (ms: number): boolean =>
    findChain(leaf, intermediates, ca, Math.min(Math.max(ms, notBeforeMs), notAfterMs - 1)) !== undefined
  if ([nowMs, clocks.earliestMs, clocks.latestMs].some(chains)) return undefined
  return `issued by ${describeName(leaf.issuer)}; the CA set holds ${ca.map((each) => describeName(each.subject)).join(' and ') || 'nothing'}`
}

const hasWantedName: Check = ({ leaf }, context) => {
  const name = commonName(leaf)
  if (name === context.commonName) return undefined
  return `the certificate is for ${JSON.stringify(name ?? describeName(leaf.subject))}, wanted is ${JSON.stringify(context.commonName)}`
}

const mayAuthenticateClients: Check = ({ leaf }) =>
  isClientCertificate(leaf) ? undefined : `its extended key usage is ${leaf.keyUsage?.join(', ') || 'empty'}`

const hasBegun: Check = ({ leaf }, { clocks: { latestMs } }) => {
  const { notBeforeMs } = validityOf(leaf)
  if (notBeforeMs <= latestMs + clockToleranceMs) return undefined
  return `valid from ${isoTime(notBeforeMs)}, ${Math.ceil((notBeforeMs - latestMs) / 1000)} s from now`
}

const hasNotExpired: Check = ({ leaf }, { clocks: { earliestMs } }) => {
  const { notAfterMs } = validityOf(leaf)
  return notAfterMs > earliestMs ? undefined : `valid until ${isoTime(notAfterMs)}`
}

const livesLongEnough: Check = ({ leaf }, { clocks: { earliestMs }, minLifetimeMs }) => {
  const leftMs = validityOf(leaf).notAfterMs - earliestMs
  if (leftMs >= minLifetimeMs) return undefined
  return `${Math.floor(leftMs / 1000)} s are left, at least ${Math.ceil(minLifetimeMs / 1000)} s are needed`
}

const keepsNeededCa: Check = ({ ca }, { live, nowMs }) => {
  const published = new Set(ca.map((certificate) => certificate.fingerprint256))
  const lost = live.flatMap((each) => neededCa(each, nowMs)).find((each) => !published.has(each.fingerprint256))
  if (lost === undefined || validityOf(lost).notAfterMs <= nowMs) return undefined
  return `${describeName(lost.subject)} (serial ${lost.serialNumber}) is missing`
}

/** First the checks that say what a bundle is, then those that say when it is good, then what it would take away. */
const checks: readonly (readonly [ReasonCode, Check])[] = [
  ['key-mismatch', keyMatches],
  ['key-unsupported', loadsInGo],
  ['untrusted-chain', chainsToPublishedCa],
  ['wrong-name', hasWantedName],
  ['not-client-auth', mayAuthenticateClients],
  ['not-yet-valid', hasBegun],
  ['expired', hasNotExpired],
  ['lifetime-too-short', livesLongEnough],
  ['ca-lost', keepsNeededCa],
]

export interface Rejection {
  readonly code: ReasonCode
  readonly detail: string
}

/** The first check that fails, or undefined: the candidate may be published. */
export function judge(
  candidate: Bundle,
  context: GateContext,
  without: readonly ReasonCode[] = [],
): Rejection | undefined {
  for (const [code, check] of checks) {
    if (without.includes(code)) continue
    const detail = check(candidate, context)
    if (detail !== undefined) return { code, detail }
  }
  return undefined
}

/** @throws AgentError with the rejection */
export function requirePass(candidate: Bundle, context: GateContext, without: readonly ReasonCode[] = []): void {
  const rejection = judge(candidate, context, without)
  if (rejection !== undefined) throw new AgentError(rejection.code, rejection.detail)
}
