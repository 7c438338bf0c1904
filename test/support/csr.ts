/** Owns certificate requests for tests: good ones with an empty subject by default, and whatever a test wants to be refused. */
import { createKeyPair, type KeyType } from './certificates.ts'
import { alternativeNames, nameOf, signRequest, toPem } from './x509.ts'

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
  const der = signRequest(nameOf(commonName), dnsNames.length === 0 ? [] : [alternativeNames(dnsNames, [])], keys)
  if (options.hasBadSignature === true) der[der.length - 1] = (der.at(-1) ?? 0) ^ 1
  return { csrPem: toPem('CERTIFICATE REQUEST', der), privateKeyPem: keys.privateKeyPem }
}
