/** Owns private keys: made on this node, written as PKCS#8, never sent anywhere. */
import { createPrivateKey, generateKeyPair, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto'
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

function generateRsa(modulusLength: number): Promise<KeyObject> {
  return new Promise((resolve, reject) => {
    generateKeyPair('rsa', { modulusLength }, (error, _publicKey, privateKey) => {
      if (error === null) resolve(privateKey)
      else reject(error)
    })
  })
}

/** PKCS#8 PEM (RFC 5958), which every TLS library that Calico uses reads. */
export function exportKey(key: KeyObject): Secret {
  return new Secret(key.export({ type: 'pkcs8', format: 'pem' }).toString())
}

/** @throws when the text is not a private key, or an encrypted one */
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
