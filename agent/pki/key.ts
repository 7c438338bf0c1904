/** Owns private keys: made on this node, written as PKCS#8, never sent anywhere; and the request for a certificate that one signs. */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto'
import { promisify } from 'node:util'
import { Secret } from '../core/secret.ts'

export const keyTypes = ['ec-p256', 'ec-p384', 'rsa-2048', 'rsa-4096', 'ed25519'] as const

export type KeyType = (typeof keyTypes)[number]

/** A new private key. RSA is made off the event loop: 4096 bits take up to seconds. */
export async function generateKey(type: KeyType): Promise<KeyObject> {
  switch (type) {
    case 'ec-p256':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
    case 'ec-p384':
      return generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey
    case 'ed25519':
      return generateKeyPairSync('ed25519').privateKey
    case 'rsa-2048':
      return generateRsa(2048)
    case 'rsa-4096':
      return generateRsa(4096)
  }
}

async function generateRsa(modulusLength: number): Promise<KeyObject> {
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength })
  return privateKey
}

/** PKCS#8 PEM (RFC 5958), which every TLS library that Calico uses reads. */
export function exportKey(key: KeyObject): Secret {
  return new Secret(key.export({ type: 'pkcs8', format: 'pem' }).toString())
}

/** @throws if the text is not a private key, or an encrypted one */
export function parseKey(pem: Secret): KeyObject {
  const text = pem.reveal()
  // OpenSSL's own words for these are "unsupported" and "interrupted or cancelled".
  if (!/^-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----[ \t\r]*$/m.test(text))
    throw new Error('there is no PEM private key in it')
  if (/^(-----BEGIN|Proc-Type:).*ENCRYPTED/m.test(text)) throw new Error('the private key is encrypted')
  return createPrivateKey(text)
}

/**
 * Whether what the private key signs can be verified with the public one. Comparing the two is not enough: a key file holds its
 * public half beside the secret one, and OpenSSL never compares these.
 */
export function isKeyPair(privateKey: KeyObject, publicKey: KeyObject): boolean {
  const message = Buffer.from('calico-vault-agent')
  const isEdwards = /^ed(25519|448)$/.test(privateKey.asymmetricKeyType ?? '')
  const digest = isEdwards ? null : 'sha256'
  try {
    return verify(digest, message, publicKey, sign(digest, message, privateKey))
  } catch {
    return false // A key that signs nothing, or of another kind than the other.
  }
}

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

/**
 * A PEM certificate request for the key (PKCS#10, RFC 2986): empty subject, no attributes. The name is asked for beside it
 * (`common_name`), so nothing in the request could slip past the PKI role.
 */
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
