/**
 * Owns reading X.509 certificates: out of PEM, their names, dates and purposes, and the chain from a leaf to a CA. Only this
 * file makes them of bytes: OpenSSL takes a certificate whose public key it cannot decode, and Node throws or ends the process
 * as soon as somebody asks for the key. No such certificate gets past here.
 */
import { X509Certificate } from 'node:crypto'
import { messageOf } from '../core/errors.ts'
import { commonNameOfDer } from './subject-name.ts'

const pemBegin = '-----BEGIN CERTIFICATE-----'
const pemEnd = '-----END CERTIFICATE-----'

/** A PEM text with more is refused before it is parsed: no CA set that is meant for Calico comes near it. */
const maxPemBytes = 1024 * 1024

/** TLS client authentication, RFC 5280 4.2.1.12. */
const clientAuthOid = '1.3.6.1.5.5.7.3.2'

/**
 * Every certificate in a PEM text, in order.
 * @throws if there is none, if one cannot be used or is cut off, or if the text is over 1 MiB
 */
export function parseCertificates(pem: string): [X509Certificate, ...X509Certificate[]] {
  const { certificates, unusable } = parseUsable(pem)
  const [first, ...others] = certificates
  if (first === undefined || unusable[0] !== undefined) throw new Error(unusable[0])
  return [first, ...others]
}

/** The certificates of a text in which some may be unusable. */
export interface UsableCertificates {
  readonly certificates: X509Certificate[]
  /** What is wrong with each of the others, by its number and name. */
  readonly unusable: readonly string[]
}

/**
 * The certificates in a PEM text that can be used, in order.
 * @throws if there is no certificate at all, usable or not, if one is cut off, or if the text is over 1 MiB
 */
export function parseUsable(pem: string): UsableCertificates {
  const certificates: X509Certificate[] = []
  const unusable: string[] = []
  for (const [index, block] of blocksOf(pem).entries()) {
    try {
      certificates.push(readCertificate(block))
    } catch (error) {
      unusable.push(`PEM certificate ${index + 1}: ${messageOf(error)}`)
    }
  }
  return { certificates, unusable }
}

function blocksOf(pem: string): string[] {
  if (pem.length > maxPemBytes) throw new Error(`${pem.length} bytes are too many for certificates`)
  const blocks: string[] = []
  for (let start = pem.indexOf(pemBegin); start >= 0; ) {
    const end = pem.indexOf(pemEnd, start)
    if (end < 0) throw new Error(`PEM certificate ${blocks.length + 1} has no end`)
    blocks.push(pem.slice(start, end + pemEnd.length))
    start = pem.indexOf(pemBegin, end)
  }
  if (blocks.length === 0) throw new Error('there is no PEM certificate in it')
  return blocks
}

/**
 * Refuses a text whose marks do not stand alone on their lines: Go, with which Calico reads the files, passes over such a
 * certificate without a word.
 * @throws Error
 */
export function requireOwnLines(pem: string): void {
  for (const [line] of pem.matchAll(/^.*-----(BEGIN|END) CERTIFICATE-----.*$/gm)) {
    if (!/^-----(BEGIN|END) CERTIFICATE-----[ \t\r]*$/.test(line))
      throw new Error('a PEM mark does not stand on a line of its own')
  }
}

/**
 * One certificate, of PEM or DER.
 * @throws Error, also for a public key that cannot be decoded and for dates that are none
 */
function readCertificate(bytes: string | Buffer): X509Certificate {
  const certificate = new X509Certificate(bytes)
  const refuse = (why: string): Error => new Error(`${why} (${describeName(certificate.subject)})`)
  try {
    // Not only its bytes: a key without a type is of an algorithm that Node does not know.
    if (certificate.publicKey.asymmetricKeyType === undefined) throw new Error('unknown algorithm')
  } catch (error) {
    throw refuse(`its public key cannot be decoded: ${messageOf(error)}`)
  }
  const { validFrom, validTo } = certificate
  // By the texts: for a time that OpenSSL cannot read, Node's dates are whatever stood in memory.
  if ([validFrom, validTo].some((text) => Number.isNaN(Date.parse(text)))) throw refuse('its dates cannot be read')
  return certificate
}

/** PEM with exactly one trailing newline each; Vault's answers have none. */
export function toPem(certificates: readonly X509Certificate[]): string {
  return certificates.map((certificate) => `${certificate.toString().trimEnd()}\n`).join('')
}

/** The one common name, as its exact characters; undefined if there is none or more than one: etcd takes the last, others the first. */
export function commonName(certificate: X509Certificate): string | undefined {
  return commonNameOfDer(certificate.raw)
}

/** A distinguished name on one line: Node prints it over several, and gives undefined for an empty one, whatever its types say. */
export function describeName(name: string | undefined): string {
  return name?.replaceAll('\n', ', ') ?? '(empty)'
}

export function isClientCertificate(certificate: X509Certificate): boolean {
  // Node's `keyUsage` is the extended key usage.
  return certificate.keyUsage?.includes(clientAuthOid) ?? false
}

export interface Validity {
  readonly notBeforeMs: number
  readonly notAfterMs: number
}

export function validityOf(certificate: X509Certificate): Validity {
  return { notBeforeMs: certificate.validFromDate.getTime(), notAfterMs: certificate.validToDate.getTime() }
}

export function isValidAt(certificate: X509Certificate, atMs: number): boolean {
  const { notBeforeMs, notAfterMs } = validityOf(certificate)
  return notBeforeMs <= atMs && atMs < notAfterMs
}

export function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)
}

/**
 * The most in one search. Go gives up after 100 of them (crypto/x509, maxChainSignatureChecks): a set that takes more is of no use to etcd or
 * Calico, and must not keep this process busy for minutes.
 */
const mostSignatureChecks = 500

/**
 * isIssuedBy for a search among many.
 * @param beyond what counts once there were too many signature checks and the names fit
 */
export function issuedByWithin(beyond: boolean): typeof isIssuedBy {
  let left = mostSignatureChecks
  return (certificate, issuer) => {
    if (!issuer.ca || !certificate.checkIssued(issuer)) return false
    return left-- > 0 ? certificate.verify(issuer.publicKey) : beyond
  }
}

/**
 * The certificates from the leaf's issuer up to the first one that is in `anchors`; undefined if no such path is valid
 * at `atMs`. As in Go's x509 (which etcd and Calico use), any certificate of the pool ends a chain, self-signed or not.
 */
export function findChain(
  leaf: X509Certificate,
  intermediates: readonly X509Certificate[],
  anchors: readonly X509Certificate[],
  atMs: number,
): X509Certificate[] | undefined {
  // Whether a path leads on from a certificate does not depend on the way to it: each is taken once, so that a loop of
  // cross-signed certificates ends, and soon.
  const untried = new Set(intermediates)
  const issuedBy = issuedByWithin(false)
  const pathFrom = (certificate: X509Certificate): X509Certificate[] | undefined => {
    const isIssuer = (each: X509Certificate): boolean => isValidAt(each, atMs) && issuedBy(certificate, each)
    const anchor = anchors.find(isIssuer)
    if (anchor !== undefined) return [anchor]
    for (const next of untried) {
      if (!isIssuer(next)) continue
      untried.delete(next)
      const rest = pathFrom(next)
      if (rest !== undefined) return [next, ...rest]
    }
    return undefined
  }
  return pathFrom(leaf)
}
