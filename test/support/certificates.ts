/**
 * Owns X.509 for tests: authorities, intermediates and leaves made at run time, good ones by default and any kind of bad one on
 * request. Promises unencrypted PKCS#8 keys, PEM with a trailing newline, and serial numbers written as `X509Certificate` does.
 */
import { createPublicKey, KeyObject, webcrypto } from 'node:crypto'
import {
  alternativeNames,
  basicConstraints,
  clientAuth,
  extendedKeyUsage,
  keyUsage,
  keyUsageBits,
  nameOf,
  type Signer,
  serverAuth,
  signCertificate,
  toPem,
} from './x509.ts'

export type KeyType = 'ec' | 'ec-p384' | 'rsa' | 'ed25519'

export interface KeyPair extends Signer {
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
    privateKeyPem: toPem('PRIVATE KEY', new Uint8Array(pkcs8)),
    publicKeyPem: toPem('PUBLIC KEY', new Uint8Array(spki)),
    publicKeyDer: Buffer.from(spki),
    signingKey: KeyObject.from(pair.privateKey),
    privateKey: pair.privateKey,
    publicKey: pair.publicKey,
  }
}

export async function createCa(options: CaOptions = {}): Promise<TestCa> {
  const { issuer, isCa = true, commonName = 'Test CA' } = options
  const keys = options.sameKeyAs?.keys ?? (await createKeyPair(options.keyType ?? 'ec'))
  const notAfter = options.notAfter ?? new Date(Date.now() + 10 * yearMs)
  const usage = isCa ? [keyUsageBits.keyCertSign, keyUsageBits.crlSign] : [keyUsageBits.digitalSignature]
  const certificate = signCertificate(
    {
      subject: nameOf(commonName),
      issuer: nameOf(issuer?.commonName ?? commonName),
      publicKeyDer: keys.publicKeyDer,
      notBefore: options.notBefore ?? new Date(Date.now() - hourMs),
      notAfter,
      extensions: [basicConstraints(isCa), keyUsage(...usage)],
    },
    issuer?.keys ?? keys,
  )
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
  const usages = [...(client ? [clientAuth] : []), ...(server ? [serverAuth] : [])]
  const hasNames = dnsNames.length + ipAddresses.length > 0
  const certificate = signCertificate(
    {
      subject: nameOf(options.commonName),
      issuer: nameOf(ca.commonName),
      publicKeyDer: keys?.publicKeyDer ?? createPublicKey(publicKeyPem ?? '').export({ type: 'spki', format: 'der' }),
      notBefore: options.notBefore ?? new Date(Date.now() - 30_000),
      notAfter: options.notAfter ?? new Date(Date.now() + 24 * hourMs),
      extensions: [
        keyUsage(keyUsageBits.digitalSignature),
        ...(usages.length === 0 ? [] : [extendedKeyUsage(...usages)]),
        ...(hasNames ? [alternativeNames(dnsNames, ipAddresses)] : []),
      ],
    },
    ca.keys,
  )
  return { ...certificate, privateKeyPem: keys?.privateKeyPem ?? '' }
}
