/**
 * Owns the certificate signing request (PKCS#10, RFC 2986): empty subject, no attributes, signed by the new key. The name
 * is asked for beside it (`common_name`), so nothing in the request could slip past the PKI role.
 */
import { createPublicKey, type KeyObject, sign } from 'node:crypto'

const sequence = 0x30
const bitString = 0x03
const emptySequence = Buffer.from([sequence, 0x00])
const version0 = Buffer.from([0x02, 0x01, 0x00])
const noAttributes = Buffer.from([0xa0, 0x00])

/** AlgorithmIdentifiers of the signature: RFC 5758 (ECDSA), RFC 4055 (RSA), RFC 8410 (Ed25519), DER in hex. */
const ecdsaWithSha256 = '300a06082a8648ce3d040302'
const ecdsaWithSha384 = '300a06082a8648ce3d040303'
const rsaWithSha256 = '300d06092a864886f70d01010b0500'
const ed25519 = '300506032b6570'

/** A PEM certificate request for the key. */
export function createCsr(key: KeyObject): string {
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' })
  const info = der(sequence, version0, emptySequence, publicKey, noAttributes)
  const [algorithm, digest] = signatureAlgorithm(key)
  const signature = der(bitString, Buffer.from([0x00]), sign(digest, info, key))
  const base64 = der(sequence, info, Buffer.from(algorithm, 'hex'), signature).toString('base64')
  const lines = base64.match(/.{1,64}/g) ?? []
  return ['-----BEGIN CERTIFICATE REQUEST-----', ...lines, '-----END CERTIFICATE REQUEST-----', ''].join('\n')
}

function signatureAlgorithm(key: KeyObject): [algorithm: string, digest: 'sha256' | 'sha384' | null] {
  if (key.asymmetricKeyType === 'ed25519') return [ed25519, null]
  if (key.asymmetricKeyType === 'rsa') return [rsaWithSha256, 'sha256']
  return key.asymmetricKeyDetails?.namedCurve === 'secp384r1'
    ? [ecdsaWithSha384, 'sha384']
    : [ecdsaWithSha256, 'sha256']
}

/** One DER value: tag, length (X.690 8.1.3, definite form), contents. */
function der(tag: number, ...contents: Buffer[]): Buffer {
  const body = Buffer.concat(contents)
  const length: number[] = []
  if (body.length < 0x80) {
    length.push(body.length)
  } else {
    for (let rest = body.length; rest > 0; rest >>= 8) length.unshift(rest & 0xff)
    length.unshift(0x80 | length.length)
  }
  return Buffer.concat([Buffer.from([tag, ...length]), body])
}
