/**
 * Owns what all sources have in common that read certificates which are made elsewhere: parsing, and never going back behind
 * what is published. A reader says what is there now, as text; that is all that another secret manager has to do.
 */

import type { X509Certificate } from 'node:crypto'
import type { Target } from '../../config/config.ts'
import { isoTime } from '../../core/clock.ts'
import { AgentError } from '../../core/errors.ts'
import type { Secret } from '../../core/secret.ts'
import { parsePart } from '../../pki/bundle.ts'
import { commonName, parseCertificates, validityOf } from '../../pki/certificate.ts'
import { parseKey } from '../../pki/key.ts'
import type { BundleSource, Candidate, Wanted } from './source.ts'

export interface Delivered {
  /** PEM: the leaf, then its intermediates. */
  readonly certificate: string
  /** PEM: PKCS#8, SEC 1 or PKCS#1, not encrypted. */
  readonly key: Secret
  /** PEM; undefined if AGENT_ETCD_CA_FILE says it all. */
  readonly ca: string | undefined
  /** Rises with every write; undefined if the store does not count. */
  readonly version?: number | undefined
  /** What a part is called there, for messages. */
  readonly nameOf: (part: Part) => string
}

export type Part = 'certificate' | 'key' | 'ca'

export interface DeliveredOptions {
  /** What is there now for a target, all of one moment. @throws AgentError; missing parts are `source-incomplete` */
  readonly read: (target: Target) => Promise<Delivered>
  readonly fingerprintOf?: BundleSource['fingerprintOf']
  readonly pollMs: number
}

export function createDeliveredSource({ read, fingerprintOf, pollMs }: DeliveredOptions): BundleSource {
  /** By component, what came last and with which version. A restart forgets it; the certificate's own dates stay. */
  const obtained = new Map<string, Dated>()

  return {
    issues: false,
    fingerprintOf,
    pollEveryMs: () => pollMs,
    async obtain(wanted) {
      const { target } = wanted
      const delivered = await read(target)
      const candidate = parseDelivered(delivered)
      const found = { leaf: candidate.leaf, version: delivered.version }
      const published = comparable(wanted)
      if (published !== undefined) {
        if (isSame(candidate, published)) return undefined
        const last = obtained.get(target.component)
        const version = last?.leaf.fingerprint256 === published.leaf.fingerprint256 ? last.version : undefined
        const older = whyOlder(found, { leaf: published.leaf, version })
        if (older !== undefined) throw new AgentError('source-older', `${delivered.nameOf('certificate')}: ${older}`)
      }
      obtained.set(target.component, found)
      return candidate
    },
    async poll(wanted) {
      const candidate = parseDelivered(await read(wanted.target))
      const published = comparable(wanted)
      // Whatever is wrong with another one is told when it is obtained.
      if (published === undefined || !isSame(candidate, published)) return { renew: 'source-changed' }
      return { issuers: candidate.issuers }
    },
  }
}

/** A static certificate that started the node is for another name, and no measure of age. */
function comparable({ published, commonName: wantedName }: Wanted): Wanted['published'] {
  return published !== undefined && commonName(published.leaf) === wantedName ? published : undefined
}

function isSame(one: Candidate, other: NonNullable<Wanted['published']>): boolean {
  const prints = ({ leaf, intermediates }: Pick<Candidate, 'leaf' | 'intermediates'>): string =>
    [leaf, ...intermediates].map((each) => each.fingerprint256).join()
  return prints(one) === prints(other)
}

interface Dated {
  readonly leaf: X509Certificate
  readonly version: number | undefined
}

/**
 * Why a certificate is older than the published one; undefined if it is not. The dates decide, as they outlive restarts,
 * restored backups and replicas that lag behind; among certificates of one second the store's version does.
 */
export function whyOlder(found: Dated, published: Dated): string | undefined {
  const [one, other] = [validityOf(found.leaf), validityOf(published.leaf)]
  if (one.notBeforeMs !== other.notBeforeMs) {
    return one.notBeforeMs > other.notBeforeMs
      ? undefined
      : `valid from ${isoTime(one.notBeforeMs)}, the published one from ${isoTime(other.notBeforeMs)}`
  }
  if (found.version === undefined || published.version === undefined || found.version >= published.version) {
    return undefined
  }
  return `version ${found.version}, the published one is of version ${published.version}`
}

function parseDelivered({ certificate, key, ca, nameOf }: Delivered): Candidate {
  const parsed = <Value>(part: Part, parse: () => Value): Value => parsePart(nameOf(part), parse)
  const [leaf, ...chain] = parsed('certificate', () => parseCertificates(certificate))
  return {
    leaf,
    // A root that comes along is trusted only if it is among the CA certificates.
    intermediates: chain.filter((each) => each.subject !== each.issuer),
    key: parsed('key', () => parseKey(key)),
    issuers: ca === undefined ? [] : parsed('ca', () => parseCertificates(ca)),
  }
}
