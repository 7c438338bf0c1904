/** Owns reading a certificate request: what it asks for, whether its key suits the role, and whether its signature is good. */
import { createPublicKey, type KeyObject, verify } from 'node:crypto'
import { type DerNode, objectId, readDer } from '../der.ts'
import { refusal } from './failure.ts'
import type { PkiRole } from './pki-role.ts'

export interface ParsedRequest {
  readonly commonName: string
  readonly dnsNames: readonly string[]
  readonly ipAddresses: readonly string[]
  readonly key: { readonly type: string; readonly bits: number }
  readonly publicKeyDer: Buffer
  readonly isSigned: () => boolean
}

export function parseRequest(pem: string): ParsedRequest {
  if (pem === '') throw refusal('"csr" is empty')
  const base64 = /-----BEGIN [A-Z ]+-----([^-]*)-----END [A-Z ]+-----/.exec(pem)?.[1]
  if (base64 === undefined) throw refusal('csr contains no data')
  try {
    return readRequest(readDer(Buffer.from(base64, 'base64')))
  } catch (cause) {
    throw refusal(`certificate request could not be parsed: ${(cause as Error).message}`)
  }
}

function readRequest({ children: [info, algorithm, signature] }: DerNode): ParsedRequest {
  const [, subject, publicKeyInfo, attributes] = info?.children ?? []
  if (info === undefined || subject === undefined || publicKeyInfo === undefined) throw new TypeError('not a request')
  const publicKeyDer = publicKeyInfo.raw
  const key = createPublicKey({ key: publicKeyDer, format: 'der', type: 'spki' })
  const names = attributes === undefined ? [] : alternativeNames(attributes)
  return {
    commonName: commonNameOf(subject),
    dnsNames: names.filter(({ tag }) => tag === 0x82).map(({ content }) => content.toString()),
    ipAddresses: names
      .filter(({ tag, content }) => tag === 0x87 && content.length === 4)
      .map(({ content }) => content.join('.')),
    key: describeKey(key),
    publicKeyDer,
    isSigned: () => verify(digestOf(algorithm), info.raw, key, signature?.content.subarray(1) ?? Buffer.alloc(0)),
  }
}

function commonNameOf(subject: DerNode): string {
  const attribute = subject.children
    .flatMap(({ children }) => children)
    .find(({ children }) => children[0]?.raw.equals(objectId('2.5.4.3')) === true)
  return attribute?.children[1]?.content.toString() ?? ''
}

/** In the extensionRequest attribute: [0] { SEQUENCE { oid, SET { SEQUENCE OF extension } } }. */
function alternativeNames(attributes: DerNode): readonly DerNode[] {
  const extensions = attributes.children.flatMap(({ children }) => children[1]?.children[0]?.children ?? [])
  const found = extensions.find(({ children }) => children[0]?.raw.equals(objectId('2.5.29.17')) === true)
  const value = found?.children.at(-1)
  return value === undefined ? [] : readDer(value.content).children
}

/** The hash of the signature algorithm; Ed25519 has none of its own. */
function digestOf(algorithm: DerNode | undefined): string | null {
  const id = algorithm?.children[0]?.raw ?? Buffer.alloc(0)
  const known: Readonly<Record<string, string>> = {
    '1.2.840.10045.4.3.2': 'sha256',
    '1.2.840.10045.4.3.3': 'sha384',
    '1.2.840.10045.4.3.4': 'sha512',
    '1.2.840.113549.1.1.11': 'sha256',
    '1.2.840.113549.1.1.12': 'sha384',
    '1.2.840.113549.1.1.13': 'sha512',
  }
  return Object.entries(known).find(([text]) => objectId(text).equals(id))?.[1] ?? null
}

const curveBits: Readonly<Record<string, number>> = { prime256v1: 256, secp384r1: 384, secp521r1: 521, secp224r1: 224 }

function describeKey({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): { type: string; bits: number } {
  const bits = asymmetricKeyDetails?.modulusLength ?? curveBits[asymmetricKeyDetails?.namedCurve ?? ''] ?? 0
  return { type: asymmetricKeyType ?? '', bits }
}

/** A larger key than the role's is accepted. */
export function checkKey(role: PkiRole, { key }: ParsedRequest): void {
  const type = role.keyType === 'any' ? key.type : role.keyType
  if (type !== key.type) throw refusal(`role requires keys of type ${role.keyType}`)
  const minimum = role.keyType === 'any' && type === 'rsa' ? 2048 : role.keyType === 'any' ? 224 : role.keyBits
  if (type !== 'ed25519' && key.bits < minimum) {
    throw refusal(`role requires a minimum of a ${minimum}-bit key, but CSR's key is ${key.bits} bits`)
  }
}
