/** Owns the bundle: one immutable set of certificate chain, private key and CA certificates, as PEM and as parsed. */
import type { KeyObject, X509Certificate } from 'node:crypto'
import { AgentError, messageOf } from '../core/errors.ts'
import type { Secret } from '../core/secret.ts'
import { parseCertificates, parseUsable, requireOwnLines, toPem } from './certificate.ts'
import { exportKey, parseKey } from './key.ts'

/** What the three files hold. */
export interface BundleText {
  /** Leaf first, then its intermediates. */
  readonly certificate: string
  readonly key: Secret
  readonly ca: string
}

export interface Bundle {
  readonly leaf: X509Certificate
  readonly intermediates: readonly X509Certificate[]
  readonly key: KeyObject
  readonly ca: readonly X509Certificate[]
  readonly text: BundleText
  /** CA certificates that stood there and were left out, as nobody can use them; undefined if there were none. */
  readonly unusableCa?: readonly string[] | undefined
}

/**
 * Reads a bundle that was published before. A CA certificate in it that cannot be used is left out: the others may be all that the
 * bundle needs, and a renewal must not stop at it.
 * @param where what the texts are, for the message: a directory or an answer
 * @throws AgentError `malformed`
 */
export function parseBundle(text: BundleText, where: string): Bundle {
  const part = <Value>(name: string, parse: () => Value): Value => parsePart(`${where}: ${name}`, parse)
  const [leaf, ...intermediates] = part('etcd-cert', () => parseCertificates(text.certificate))
  part('etcd-cert', () => requireOwnLines(text.certificate))
  part('etcd-ca', () => requireOwnLines(text.ca))
  const key = part('etcd-key', () => parseKey(text.key))
  const { certificates: ca, unusable } = part('etcd-ca', () => parseUsable(text.ca))
  if (unusable.length === 0) return { leaf, intermediates, key, ca, text }
  const unusableCa = unusable.map((each) => `${where}: etcd-ca: ${each}`)
  if (ca.length === 0) throw new AgentError('malformed', unusableCa.join('; '))
  return { leaf, intermediates, key, ca, text: { ...text, ca: toPem(ca) }, unusableCa }
}

/** Runs a parser. @param where the text stands, for the message. @throws AgentError `malformed` if the parser throws */
export function parsePart<Value>(where: string, parse: () => Value): Value {
  try {
    return parse()
  } catch (cause) {
    // OpenSSL's messages name no bytes of a key; the texts themselves stay out of the message.
    throw new AgentError('malformed', `${where}: ${messageOf(cause)}`, { cause })
  }
}

export function createBundle(parts: Omit<Bundle, 'text'>): Bundle {
  const { leaf, intermediates, key, ca } = parts
  return { ...parts, text: { certificate: toPem([leaf, ...intermediates]), key: exportKey(key), ca: toPem(ca) } }
}

/** Byte for byte. */
export function isSameBundle(one: Pick<Bundle, 'text'>, other: Pick<Bundle, 'text'>): boolean {
  return (
    one.text.certificate === other.text.certificate &&
    one.text.key.reveal() === other.text.key.reveal() &&
    one.text.ca === other.text.ca
  )
}
