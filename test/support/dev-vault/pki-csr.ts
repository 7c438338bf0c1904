/** Owns reading a certificate request: what it asks for, whether its key suits the role, and whether its signature is good. */
import { createPublicKey, type webcrypto } from 'node:crypto'
import { Pkcs10CertificateRequest, SubjectAlternativeNameExtension } from '@peculiar/x509'
import { refusal } from './failure.ts'
import type { PkiRole } from './pki-role.ts'

export interface ParsedRequest {
  readonly commonName: string
  readonly dnsNames: readonly string[]
  readonly ipAddresses: readonly string[]
  readonly key: { readonly type: string; readonly bits: number }
  isSigned(): Promise<boolean>
  publicKey(): Promise<webcrypto.CryptoKey>
}

export function parseRequest(pem: string): ParsedRequest {
  if (pem === '') throw refusal('"csr" is empty')
  const base64 = /-----BEGIN [A-Z ]+-----([^-]*)-----END [A-Z ]+-----/.exec(pem)?.[1]
  if (base64 === undefined) throw refusal('csr contains no data')
  const request = decode(base64)
  const names = request.getExtensions('2.5.29.17').flatMap((extension) => {
    return extension instanceof SubjectAlternativeNameExtension ? extension.names.items : []
  })
  const valuesOf = (type: string): string[] => names.filter((name) => name.type === type).map((name) => name.value)
  return {
    commonName: request.subjectName.getField('CN')[0] ?? '',
    dnsNames: valuesOf('dns'),
    ipAddresses: valuesOf('ip'),
    key: describeKey(request.publicKey.rawData),
    isSigned: async () => {
      try {
        return await request.verify()
      } catch {
        return false
      }
    },
    publicKey: async () => await request.publicKey.export(),
  }
}

function decode(base64: string): Pkcs10CertificateRequest {
  try {
    return new Pkcs10CertificateRequest(Buffer.from(base64, 'base64'))
  } catch (cause) {
    throw refusal(`certificate request could not be parsed: ${(cause as Error).message}`)
  }
}

const curveBits: Readonly<Record<string, number>> = { prime256v1: 256, secp384r1: 384, secp521r1: 521, secp224r1: 224 }

function describeKey(der: ArrayBuffer): { type: string; bits: number } {
  const key = createPublicKey({ key: Buffer.from(der), format: 'der', type: 'spki' })
  const details = key.asymmetricKeyDetails
  const type = key.asymmetricKeyType ?? ''
  if (type === 'ec') return { type, bits: curveBits[details?.namedCurve ?? ''] ?? 0 }
  return { type, bits: details?.modulusLength ?? 0 }
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
