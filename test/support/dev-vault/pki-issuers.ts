/**
 * Owns the issuers of a PKI mount: generating roots and intermediates, which one is the default, and finding one by id, name or
 * `default`. Keys never leave it.
 */
import { randomUUID, X509Certificate } from 'node:crypto'
import { createKeyPair, type KeyPair, type KeyType } from '../certificates.ts'
import {
  basicConstraints,
  keyUsage,
  keyUsageBits,
  nameOf,
  signCertificate,
  signRequest,
  subjectOf,
  toPem,
} from '../x509.ts'
import { internalError, refusal } from './failure.ts'

export interface Issuer {
  readonly id: string
  name: string
  readonly keyId: string
  /** Without a trailing newline, as Vault's answers have it. */
  readonly certificatePem: string
  readonly certificate: X509Certificate
  /** Its subject as DER: the issuer of what it signs. */
  readonly subject: Buffer
  readonly keys: KeyPair | undefined
  leafNotAfterBehavior: string
  /** Serial number as in `X509Certificate` to the time of revocation. */
  readonly revoked: Map<string, number>
}

export interface IssuerStore {
  readonly all: Map<string, Issuer>
  defaultId: string
  followsLatest: boolean
  /** Keys of CSRs that wait for their signed certificate. */
  readonly pendingKeys: KeyPair[]
}

export function createIssuerStore(): IssuerStore {
  return { all: new Map(), defaultId: '', followsLatest: false, pendingKeys: [] }
}

/** Throws as Vault does when there is none. */
export function findIssuer(store: IssuerStore, reference: string): Issuer {
  if (reference === 'default') {
    const issuer = store.all.get(store.defaultId)
    if (issuer === undefined) throw internalError('no default issuer currently configured')
    return issuer
  }
  const issuer = store.all.get(reference) ?? [...store.all.values()].find((each) => each.name === reference)
  if (issuer === undefined) throw internalError(`unable to find PKI issuer for reference: ${reference}`)
  return issuer
}

export interface RootRequest {
  readonly commonName: string
  readonly notAfter: Date
  readonly notBefore: Date
  readonly name: string
  readonly keyType: string
  readonly keyBits: number
}

export async function generateRoot(store: IssuerStore, request: RootRequest): Promise<Issuer> {
  if (request.commonName === '') {
    throw refusal(
      'the common_name field is required, or must be provided in a CSR with "use_csr_common_name" set to true, unless "require_cn" is set to false',
    )
  }
  const keys = await createKeyPair(keyTypeOf(request.keyType, request.keyBits))
  const subject = nameOf(request.commonName)
  const { certificatePem } = signCa({
    ...request,
    subject,
    issuer: subject,
    publicKeyDer: keys.publicKeyDer,
    signer: keys,
  })
  return addIssuer(store, certificatePem, keys, request.name)
}

export async function generateRequest(
  store: IssuerStore,
  commonName: string,
  keyType: string,
  bits: number,
): Promise<string> {
  const keys = await createKeyPair(keyTypeOf(keyType, bits))
  store.pendingKeys.push(keys)
  return toPem('CERTIFICATE REQUEST', signRequest(nameOf(commonName), [], keys)).trim()
}

export interface CaFields {
  readonly subject: Buffer
  readonly issuer: Buffer
  readonly publicKeyDer: Buffer
  readonly signer: KeyPair
  readonly notBefore: Date
  readonly notAfter: Date
}

/** A CA certificate; the key of a root is its own signer. */
export function signCa({ signer, ...fields }: CaFields): { certificatePem: string; serialNumber: string } {
  const usage = keyUsage(keyUsageBits.keyCertSign, keyUsageBits.crlSign)
  return signCertificate({ ...fields, extensions: [usage, basicConstraints(true)] }, signer)
}

/** The first issuer becomes the default; a later one only if the configuration says so. */
export function addIssuer(store: IssuerStore, certificatePem: string, keys: KeyPair | undefined, name: string): Issuer {
  if (name !== '' && [...store.all.values()].some((each) => each.name === name))
    throw refusal('issuer name already in use')
  const certificate = new X509Certificate(certificatePem)
  const issuer: Issuer = {
    id: randomUUID(),
    name,
    keyId: keys === undefined ? '' : randomUUID(),
    certificatePem: certificatePem.trim(),
    certificate,
    subject: subjectOf(certificate.raw),
    keys,
    leafNotAfterBehavior: 'err',
    revoked: new Map(),
  }
  store.all.set(issuer.id, issuer)
  if (store.followsLatest || (store.defaultId === '' && keys !== undefined)) store.defaultId = issuer.id
  return issuer
}

/** The issuer's own certificate first, then those that the mount knows above it. */
export function chainOf(store: IssuerStore, issuer: Issuer): Issuer[] {
  const chain = [issuer]
  for (let last = issuer; ; ) {
    const parent = [...store.all.values()].find(
      (each) => !chain.some(({ id }) => id === each.id) && isIssuedBy(last, each),
    )
    if (parent === undefined) return chain
    chain.push(parent)
    last = parent
  }
}

export function isSelfSigned(issuer: Issuer): boolean {
  return isIssuedBy(issuer, issuer)
}

function isIssuedBy({ certificate }: Issuer, parent: Issuer): boolean {
  return certificate.checkIssued(parent.certificate) && certificate.verify(parent.certificate.publicKey)
}

function keyTypeOf(type: string, bits: number): KeyType {
  if (type === 'ec') return bits === 384 ? 'ec-p384' : 'ec'
  if (type === 'rsa' || type === 'ed25519') return type
  throw refusal(`unknown key type: ${type}`)
}

/** `3b:dc:…` */
export function formatSerial(serialNumber: string): string {
  return (serialNumber.toLowerCase().match(/../g) ?? []).join(':')
}
