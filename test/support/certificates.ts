/**
 * Owns X.509 for tests: authorities, intermediates and leaves made at run time, good ones by default and any kind of bad one on
 * request. Promises unencrypted PKCS#8 keys, PEM with a trailing newline, and serial numbers written as `X509Certificate` does.
 */
// oxlint-disable-next-line import/no-unassigned-import -- @peculiar/x509 finds it in the global scope
import 'reflect-metadata'
import { randomBytes, webcrypto } from 'node:crypto'
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  PublicKey,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from '@peculiar/x509'

export type KeyType = 'ec' | 'ec-p384' | 'rsa' | 'ed25519'

export interface KeyPair {
  readonly privateKeyPem: string
  readonly publicKeyPem: string
  readonly privateKey: webcrypto.CryptoKey
  readonly publicKey: webcrypto.CryptoKey
}

export interface CaOptions {
  readonly commonName?: string
  /** Default: an hour ago. */
  readonly notBefore?: Date
  /** Default: in ten years. */
  readonly notAfter?: Date
  readonly keyType?: 'ec' | 'rsa'
  /** Makes an intermediate. */
  readonly issuer?: TestCa
  /** false makes an "authority" that is none: basicConstraints CA:FALSE, no certSign. */
  readonly isCa?: boolean
  /** Another certificate (name, dates) for the key of this authority, as in a cross-sign or a renewal with the same key. */
  readonly sameKeyAs?: TestCa
}

export interface LeafOptions {
  /** Absent: an empty subject. Any length, any case. */
  readonly commonName?: string
  readonly dnsNames?: readonly string[]
  readonly ipAddresses?: readonly string[]
  readonly server?: boolean
  /** Default: true unless `server`. Both false: no extended key usage at all. */
  readonly client?: boolean
  /** Default: 30 seconds ago. */
  readonly notBefore?: Date
  /** Default: in 24 hours. */
  readonly notAfter?: Date
  readonly keyType?: KeyType
  /** Issue for this existing key; `privateKeyPem` of the result is then empty. */
  readonly publicKeyPem?: string
}

export interface TestCertificate {
  readonly certificatePem: string
  readonly privateKeyPem: string
  /** Upper-case hexadecimal. */
  readonly serialNumber: string
}

export interface TestCa extends TestCertificate {
  readonly commonName: string
  readonly notAfter: Date
  readonly keys: KeyPair
  issue(options?: LeafOptions): Promise<TestCertificate>
}

const caUsage = (KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign) as KeyUsageFlags
const hourMs = 3_600_000
const yearMs = 365 * 24 * hourMs
const keyAlgorithms = {
  ec: { name: 'ECDSA', namedCurve: 'P-256' },
  'ec-p384': { name: 'ECDSA', namedCurve: 'P-384' },
  rsa: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) },
  ed25519: { name: 'Ed25519' },
} as const

export async function createKeyPair(keyType: KeyType = 'ec'): Promise<KeyPair> {
  const pair = await webcrypto.subtle.generateKey(keyAlgorithms[keyType], true, ['sign', 'verify'])
  if (!('privateKey' in pair)) throw new TypeError(`${keyType} has no key pair`)
  const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', pair.privateKey)
  const spki = await webcrypto.subtle.exportKey('spki', pair.publicKey)
  return {
    privateKeyPem: toPem('PRIVATE KEY', pkcs8),
    publicKeyPem: toPem('PUBLIC KEY', spki),
    privateKey: pair.privateKey,
    publicKey: pair.publicKey,
  }
}

export async function createCa(options: CaOptions = {}): Promise<TestCa> {
  const { issuer, isCa = true, commonName = 'Test CA' } = options
  const keys = options.sameKeyAs?.keys ?? (await createKeyPair(options.keyType ?? 'ec'))
  const notAfter = options.notAfter ?? new Date(Date.now() + 10 * yearMs)
  const certificate = await sign({
    subject: commonName,
    issuer: issuer?.commonName ?? commonName,
    publicKey: keys.publicKey,
    signer: issuer?.keys ?? keys,
    notBefore: options.notBefore ?? new Date(Date.now() - hourMs),
    notAfter,
    extensions: [
      new BasicConstraintsExtension(isCa, undefined, true),
      new KeyUsagesExtension(isCa ? caUsage : KeyUsageFlags.digitalSignature, true),
    ],
  })
  const ca: TestCa = {
    ...certificate,
    privateKeyPem: keys.privateKeyPem,
    commonName,
    notAfter,
    keys,
    issue: async (leaf = {}) => await issueLeaf(ca, leaf),
  }
  return ca
}

async function issueLeaf(ca: TestCa, options: LeafOptions): Promise<TestCertificate> {
  const { server = false, client = !server, dnsNames = [], ipAddresses = [], publicKeyPem } = options
  const keys = publicKeyPem === undefined ? await createKeyPair(options.keyType) : undefined
  const usages = [...(client ? [ExtendedKeyUsage.clientAuth] : []), ...(server ? [ExtendedKeyUsage.serverAuth] : [])]
  const names = [
    ...dnsNames.map((value) => ({ type: 'dns' as const, value })),
    ...ipAddresses.map((value) => ({ type: 'ip' as const, value })),
  ]
  const extensions: Extension[] = [new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true)]
  if (usages.length > 0) extensions.push(new ExtendedKeyUsageExtension(usages))
  if (names.length > 0) extensions.push(new SubjectAlternativeNameExtension(names))
  const certificate = await sign({
    subject: options.commonName,
    issuer: ca.commonName,
    publicKey: keys?.publicKey ?? (await new PublicKey(publicKeyPem ?? '').export()),
    signer: ca.keys,
    notBefore: options.notBefore ?? new Date(Date.now() - 30_000),
    notAfter: options.notAfter ?? new Date(Date.now() + 24 * hourMs),
    extensions,
  })
  return { ...certificate, privateKeyPem: keys?.privateKeyPem ?? '' }
}

export interface SignOptions {
  readonly subject: string | undefined
  readonly issuer: string
  readonly publicKey: webcrypto.CryptoKey
  readonly signer: Pick<KeyPair, 'privateKey' | 'publicKey'>
  readonly notBefore: Date
  readonly notAfter: Date
  /** Besides the two key identifiers. */
  readonly extensions: readonly Extension[]
}

/** One certificate, from which both the authorities above and the development Vault are made. */
export async function sign(options: SignOptions): Promise<{ certificatePem: string; serialNumber: string }> {
  const { signer, publicKey } = options
  // Positive and without a leading zero byte (RFC 5280, 4.1.2.2), so that every library writes it alike.
  const serial = randomBytes(20)
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40
  const serialNumber = serial.toString('hex')
  const certificate = await X509CertificateGenerator.create({
    serialNumber,
    subject: toName(options.subject),
    issuer: toName(options.issuer),
    notBefore: options.notBefore,
    notAfter: options.notAfter,
    publicKey,
    signingKey: signer.privateKey,
    // What the key itself does not say: the hash of an ECDSA signature.
    signingAlgorithm: { ...signer.privateKey.algorithm, hash: 'SHA-256' },
    extensions: [
      ...options.extensions,
      await SubjectKeyIdentifierExtension.create(publicKey),
      await AuthorityKeyIdentifierExtension.create(signer.publicKey),
    ],
  })
  return { certificatePem: toPem('CERTIFICATE', certificate.rawData), serialNumber: serialNumber.toUpperCase() }
}

function toName(commonName: string | undefined): Name {
  return new Name(commonName === undefined ? [] : [{ CN: [{ utf8String: commonName }] }])
}

export function toPem(label: string, der: ArrayBuffer): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}
