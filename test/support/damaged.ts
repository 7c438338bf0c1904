/** Owns damaged certificates: those that OpenSSL parses, and that Node throws or ends the process on when it asks for the key. */
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto'
import { readDer } from './der.ts'
import { toPem } from './x509.ts'

/** Its public key is no point of its curve (or, of an RSA key, not the one that signed). */
export function withDamagedKey(pem: string): string {
  return changed(pem, (der, key) => flip(der, key.end - 1))
}

/** Its public key is of an algorithm that nobody knows: `1.2.840.10045.2.1` becomes `1.2.840.10045.2.0`, and so on. */
export function withUnknownAlgorithm(pem: string): string {
  return changed(pem, (der, key) => {
    // SubjectPublicKeyInfo: the algorithm with its identifier first.
    const id = readDer(der.subarray(key.start, key.end)).children[0]?.children[0]
    flip(der, der.indexOf(id?.raw ?? '', key.start) + (id?.raw.length ?? 0) - 1)
  })
}

/** Its end is a time that there is not: the month is 99. */
export function withDamagedDate(pem: string): string {
  return changed(pem, (der) => {
    const end = readDer(der).children[0]?.children[4]?.children[1]
    if (end === undefined) throw new Error('the certificate has no end')
    der.write('99', der.indexOf(end.raw) + 4, 'latin1')
  })
}

/** An EC key (PKCS#8) whose public half is as it was, and whose secret one is another. */
export function withDamagedSecret(privateKeyPem: string): string {
  const der = createPrivateKey(privateKeyPem).export({ type: 'pkcs8', format: 'der' })
  // RFC 5208: version, algorithm, and in the octets RFC 5915: version, the secret, the public half.
  const octets = readDer(der).children[2]?.content ?? Buffer.alloc(0)
  const secret = readDer(octets).children[1]?.raw ?? Buffer.alloc(0)
  flip(der, der.indexOf(secret) + secret.length - 1)
  return toPem('PRIVATE KEY', der)
}

/** With one bit turned over. */
export function withFlippedBit(der: Buffer, bit: number): string {
  const copy = Buffer.from(der)
  flip(copy, bit >> 3, bit & 7)
  return toPem('CERTIFICATE', copy)
}

function flip(der: Buffer, at: number, bit = 0): void {
  der[at] = (der[at] ?? 0) ^ (1 << bit)
}

function changed(pem: string, change: (der: Buffer, key: { readonly start: number; readonly end: number }) => void) {
  const der = Buffer.from(new X509Certificate(pem).raw)
  const key = createPublicKey(pem).export({ type: 'spki', format: 'der' })
  const start = der.indexOf(key)
  change(der, { start, end: start + key.length })
  return toPem('CERTIFICATE', der)
}
