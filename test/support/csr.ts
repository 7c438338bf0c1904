/** Owns certificate requests for tests: good ones with an empty subject by default, and whatever a test wants to be refused. */
import { type JsonName, Pkcs10CertificateRequestGenerator, SubjectAlternativeNameExtension } from '@peculiar/x509'
import { createKeyPair, type KeyType } from './certificates.ts'

export interface TestRequestOptions {
  readonly keyType?: KeyType
  readonly commonName?: string
  readonly dnsNames?: readonly string[]
  /** One bit of the signature is turned. */
  readonly hasBadSignature?: boolean
}

export async function createCsr(options: TestRequestOptions = {}): Promise<{ csrPem: string; privateKeyPem: string }> {
  const { keyType = 'ec', commonName, dnsNames = [] } = options
  const keys = await createKeyPair(keyType)
  const name: JsonName = commonName === undefined ? [] : [{ CN: [commonName] }]
  const names = dnsNames.map((value) => ({ type: 'dns' as const, value }))
  const request = await Pkcs10CertificateRequestGenerator.create({
    name,
    keys: { privateKey: keys.privateKey, publicKey: keys.publicKey },
    signingAlgorithm: { ...keys.privateKey.algorithm, hash: 'SHA-256' },
    extensions: names.length === 0 ? [] : [new SubjectAlternativeNameExtension(names)],
  })
  const der = Buffer.from(request.rawData)
  if (options.hasBadSignature === true) der[der.length - 1] = (der.at(-1) ?? 0) ^ 1
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  const csrPem = `-----BEGIN CERTIFICATE REQUEST-----\n${lines.join('\n')}\n-----END CERTIFICATE REQUEST-----\n`
  return { csrPem, privateKeyPem: keys.privateKeyPem }
}
