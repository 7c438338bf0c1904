/** Owns reading X.509 certificates: out of PEM, their names, dates and purposes, and the chain from a leaf to a CA. */
import { X509Certificate } from 'node:crypto'

const pemBlock = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g

/** A PEM text with more is refused before it is parsed: no CA set that is meant for Calico comes near it. */
const maxPemBytes = 1024 * 1024

/** TLS client authentication, RFC 5280 4.2.1.12. */
const clientAuthOid = '1.3.6.1.5.5.7.3.2'

/**
 * Every certificate in a PEM text, in order.
 * @throws when there is none, when one cannot be parsed, or when the text is over 1 MiB
 */
export function parseCertificates(pem: string): X509Certificate[] {
  if (pem.length > maxPemBytes) throw new Error(`${pem.length} bytes are too many for certificates`)
  const blocks = pem.match(pemBlock)
  if (blocks === null) throw new Error('there is no PEM certificate in it')
  return blocks.map((block) => new X509Certificate(block))
}

/** PEM with exactly one trailing newline each; Vault's answers have none. */
export function toPem(certificates: readonly X509Certificate[]): string {
  return certificates.map((certificate) => `${certificate.toString().trimEnd()}\n`).join('')
}

/** The one common name, as its exact characters; undefined where there is none or more than one. */
export function commonName(certificate: X509Certificate): string | undefined {
  const names: unknown = certificate.toLegacyObject().subject?.CN
  return typeof names === 'string' ? names : undefined
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
 * The certificates from the leaf's issuer up to the first one that is in `anchors`; undefined where no such path is valid
 * at `atMs`. As in Go's x509 (which etcd and Calico use), any certificate of the pool ends a chain, self-signed or not.
 */
export function findChain(
  leaf: X509Certificate,
  intermediates: readonly X509Certificate[],
  anchors: readonly X509Certificate[],
  atMs: number,
): X509Certificate[] | undefined {
  const anchor = anchors.find((each) => isValidAt(each, atMs) && isIssuedBy(leaf, each))
  if (anchor !== undefined) return [anchor]
  for (const next of intermediates) {
    if (!isValidAt(next, atMs) || !isIssuedBy(leaf, next)) continue
    // Each step uses an intermediate up, so a loop of cross-signed certificates ends.
    const rest = findChain(
      next,
      intermediates.filter((each) => each !== next),
      anchors,
      atMs,
    )
    if (rest !== undefined) return [next, ...rest]
  }
  return undefined
}
