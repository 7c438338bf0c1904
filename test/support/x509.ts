/**
 * Owns the structures of X.509 that tests need to make: certificates (RFC 5280), requests (RFC 2986) and revocation lists, signed with
 * SHA-256 or Ed25519. Whatever it is asked for it makes, right or wrong.
 */
import { createHash, type KeyObject, randomBytes, sign } from 'node:crypto'
import { isIPv4 } from 'node:net'
import {
  bitString,
  explicit,
  implicit,
  integer,
  isTrue,
  namedBits,
  nothing,
  objectId,
  octetString,
  readDer,
  sequence,
  set,
  time,
  utf8String,
} from './der.ts'

/** Bits of a key usage (RFC 5280, 4.2.1.3). */
export const keyUsageBits = {
  digitalSignature: 0,
  contentCommitment: 1,
  keyEncipherment: 2,
  dataEncipherment: 3,
  keyAgreement: 4,
  keyCertSign: 5,
  crlSign: 6,
} as const

export const serverAuth = '1.3.6.1.5.5.7.3.1'
export const clientAuth = '1.3.6.1.5.5.7.3.2'

export interface Signer {
  readonly signingKey: KeyObject
  /** SubjectPublicKeyInfo. */
  readonly publicKeyDer: Buffer
}

export interface CertificateFields {
  readonly subject: Buffer
  readonly issuer: Buffer
  /** SubjectPublicKeyInfo. */
  readonly publicKeyDer: Buffer
  readonly notBefore: Date
  readonly notAfter: Date
  /** Besides the two key identifiers. */
  readonly extensions: readonly Buffer[]
}

/** The serial number is upper-case hexadecimal, as `X509Certificate` writes it. */
export function signCertificate(
  fields: CertificateFields,
  signer: Signer,
): { certificatePem: string; serialNumber: string } {
  // Positive and without a leading zero byte (RFC 5280, 4.1.2.2), so that every library writes it alike.
  const serial = randomBytes(20)
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40
  const identifiers = [
    extension('2.5.29.14', octetString(keyIdentifier(fields.publicKeyDer))),
    extension('2.5.29.35', sequence(implicit(0, keyIdentifier(signer.publicKeyDer)))),
  ]
  const content = sequence(
    explicit(0, integer(Buffer.from([2]))),
    integer(serial),
    algorithmOf(signer.signingKey),
    fields.issuer,
    sequence(time(fields.notBefore), time(fields.notAfter)),
    fields.subject,
    fields.publicKeyDer,
    explicit(3, sequence(...fields.extensions, ...identifiers)),
  )
  return {
    certificatePem: toPem('CERTIFICATE', signed(content, signer)),
    serialNumber: serial.toString('hex').toUpperCase(),
  }
}

export function signRequest(subject: Buffer, extensions: readonly Buffer[], signer: Signer): Buffer {
  // extensionRequest of PKCS#9.
  const attribute = sequence(objectId('1.2.840.113549.1.9.14'), set(sequence(...extensions)))
  const attributes = explicit(0, ...(extensions.length === 0 ? [] : [attribute]))
  return signed(sequence(integer(Buffer.from([0])), subject, signer.publicKeyDer, attributes), signer)
}

export function signCrl(
  issuer: Buffer,
  thisUpdate: Date,
  nextUpdate: Date,
  revoked: ReadonlyMap<string, Date>,
  signer: Signer,
): Buffer {
  const entries = [...revoked].map(([serial, date]) => sequence(integer(Buffer.from(serial, 'hex')), time(date)))
  const number = Buffer.alloc(6)
  number.writeUIntBE(thisUpdate.getTime(), 0, 6)
  const extensions = [
    extension('2.5.29.35', sequence(implicit(0, keyIdentifier(signer.publicKeyDer)))),
    extension('2.5.29.20', integer(number)),
  ]
  const content = sequence(
    integer(Buffer.from([1])),
    algorithmOf(signer.signingKey),
    issuer,
    time(thisUpdate),
    time(nextUpdate),
    ...(entries.length === 0 ? [] : [sequence(...entries)]),
    explicit(0, sequence(...extensions)),
  )
  return signed(content, signer)
}

/** A name of one common name, or the empty name. */
export function nameOf(commonName: string | undefined): Buffer {
  return commonName === undefined ? sequence() : sequence(set(sequence(objectId('2.5.4.3'), utf8String(commonName))))
}

/** The subject of a certificate as it stands there, to be the issuer of others. */
export function subjectOf(certificate: Buffer): Buffer {
  const fields = readDer(certificate).children[0]?.children ?? []
  // Version, serial number, algorithm, issuer, validity, subject.
  return fields[5]?.raw ?? sequence()
}

export function basicConstraints(isCa: boolean): Buffer {
  return extension('2.5.29.19', isCa ? sequence(isTrue()) : sequence(), true)
}

export function keyUsage(...bits: readonly number[]): Buffer {
  return extension('2.5.29.15', namedBits(bits), true)
}

export function extendedKeyUsage(...usages: readonly string[]): Buffer {
  return extension('2.5.29.37', sequence(...usages.map(objectId)))
}

export function alternativeNames(dnsNames: readonly string[], ipAddresses: readonly string[]): Buffer {
  const names = [
    ...dnsNames.map((name) => implicit(2, Buffer.from(name))),
    ...ipAddresses.map((address) => implicit(7, addressBytes(address))),
  ]
  return extension('2.5.29.17', sequence(...names))
}

export function toPem(label: string, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}

function extension(id: string, value: Buffer, isCritical = false): Buffer {
  return sequence(objectId(id), ...(isCritical ? [isTrue()] : []), octetString(value))
}

function signed(content: Buffer, { signingKey }: Signer): Buffer {
  const digest = signingKey.asymmetricKeyType === 'ed25519' ? null : 'sha256'
  return sequence(content, algorithmOf(signingKey), bitString(sign(digest, content, signingKey)))
}

/** RFC 5758, RFC 4055, RFC 8410. */
function algorithmOf({ asymmetricKeyType }: KeyObject): Buffer {
  if (asymmetricKeyType === 'ed25519') return sequence(objectId('1.3.101.112'))
  if (asymmetricKeyType === 'rsa') return sequence(objectId('1.2.840.113549.1.1.11'), nothing())
  return sequence(objectId('1.2.840.10045.4.3.2'))
}

/** RFC 5280, 4.2.1.2, method 1. */
function keyIdentifier(publicKeyDer: Buffer): Buffer {
  const key = readDer(publicKeyDer).children[1]?.content.subarray(1) ?? Buffer.alloc(0)
  return createHash('sha1').update(key).digest()
}

function addressBytes(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number))
  const [head = '', tail] = address.split('::')
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'))
  const missing = 8 - groups(head).length - groups(tail ?? '').length
  const all = [
    ...groups(head),
    ...Array.from({ length: tail === undefined ? 0 : missing }, () => '0'),
    ...groups(tail ?? ''),
  ]
  return Buffer.concat(all.map((group) => Buffer.from(group.padStart(4, '0'), 'hex')))
}
