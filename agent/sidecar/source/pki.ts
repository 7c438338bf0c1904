/** Owns obtaining certificates from Vault's PKI: a key and a request made here, signed there; and the mount's issuers. */
import type { KeyObject, X509Certificate } from 'node:crypto'
import type { Config } from '../../config/config.ts'
import type { Clock } from '../../core/clock.ts'
import { parsePart } from '../../pki/bundle.ts'
import {
  isIssuedBy,
  parseCertificates,
  parseUsable,
  type UsableCertificates,
  validityOf,
} from '../../pki/certificate.ts'
import { createCsr, generateKey, type KeyType } from '../../pki/key.ts'
import type { SignedCertificate } from '../../vault/answers.ts'
import type { MountIssuers, VaultApi } from '../../vault/client.ts'
import type { Session } from '../../vault/session.ts'
import { type SkewMeter, signedEvidence } from '../../vault/skew.ts'
import { holding, type Transport } from '../../vault/transport.ts'
import type { Listener } from '../observe/events.ts'
import type { BundleSource, SourceUpdate, Wanted } from './source.ts'

export interface PkiSourceOptions {
  readonly config: Pick<Config, 'pki' | 'key'>
  readonly api: VaultApi
  readonly session: Session
  readonly transport: Pick<Transport, 'hold'>
  readonly skew: Pick<SkewMeter, 'asking'>
  readonly clock: Pick<Clock, 'monotonic'>
  /** Of one request to Vault. */
  readonly timeoutMs: number
  readonly emit: Listener
}

export function createPkiSource(options: PkiSourceOptions): BundleSource {
  const { config, api, session, transport, skew, clock, timeoutMs, emit } = options
  const { mount, ttlSeconds } = config.pki
  const known = new Map<string, X509Certificate>()
  let pending: Promise<MountIssuers> | undefined

  /** An issuer's certificate never changes under its id, so that usually only the list is read. */
  async function readIssuers(): Promise<MountIssuers> {
    const until = clock.monotonic() + requestsInRefresh * timeoutMs
    return await holding(transport, () => api.issuers(mount, known, () => clock.monotonic() < until))
  }

  const issuers = (): Promise<MountIssuers> => {
    pending ??= readIssuers().finally(() => {
      pending = undefined
    })
    return pending
  }

  /** A CA certificate that nobody can use must not end the renewals of certificates that do not chain to it. */
  function warn({ target: { component } }: Wanted, unusable: readonly string[]): void {
    for (const detail of unusable) emit({ type: 'ca-refresh-failed', component, reason: 'ca-unusable', detail })
  }

  return {
    issues: true,
    pollEveryMs,
    async poll(wanted) {
      const found = await issuers()
      warn(wanted, found.unusable)
      return updateFor(found, wanted.published)
    },
    obtain: (wanted, reusedKey) =>
      holding(transport, async () => {
        const { target, commonName, published } = wanted
        // The issuers first: a certificate whose CA set cannot be had would be signed for nothing.
        const [found, { key, csr }] = await Promise.all([issuers(), makeRequest(config.key.type, reusedKey)])
        const request = { mount, role: target.pkiRole, commonName, csr, ttlSeconds }
        const where = `${mount}/sign/${target.pkiRole}`
        let tell = skew.asking()
        const signed = await session.use((credentials) => {
          tell = skew.asking()
          return api.sign(request, credentials)
        })
        const { leaf, chain, unusable } = parseSigned(signed, where)
        tell(signedEvidence(validityOf(leaf), ttlSeconds))
        warn(wanted, [...found.unusable, ...unusable])
        const intermediates = unique(chain).filter((certificate) => certificate.subject !== certificate.issuer)
        // The signing issuer may be younger than the list.
        return { leaf, intermediates, key, issuers: [...knownOf(found, published), ...chain] }
      }),
  }
}

/** A refresh ends in the time of so many requests, of the ten that a step may take before it counts as hung (observe/health.ts). */
const requestsInRefresh = 5

const shortestPollMs = 10_000
const longestPollMs = 3_600_000

/** The issuers are polled 24 times in a lifetime, at most every 10 s and at least every hour. */
export function pollEveryMs(lifetimeMs: number): number {
  return Math.min(Math.max(lifetimeMs / 24, shortestPollMs), longestPollMs)
}

/**
 * A certificate whose issuer the mount has forgotten is replaced while the CA set still holds it. Nothing is known to be
 * forgotten while one of the issuers cannot be used: it may be this one.
 */
export function updateFor(found: MountIssuers, published: Wanted['published']): SourceUpdate {
  const issuers = knownOf(found, published)
  const isOrphan = published !== undefined && !issuers.some((issuer) => isIssuedBy(published.leaf, issuer))
  return { issuers, renew: isOrphan && found.unusable.length === 0 ? 'issuer-removed' : undefined }
}

/** The issuers; and while not all of them can be used, whatever was published until now: a set that is not whole takes nothing away. */
function knownOf({ certificates, unusable }: MountIssuers, published: Wanted['published']): X509Certificate[] {
  return [...certificates.values(), ...(unusable.length === 0 ? [] : (published?.ca ?? []))]
}

async function makeRequest(type: KeyType, reusedKey: KeyObject | undefined): Promise<{ key: KeyObject; csr: string }> {
  // Only now has the connection been begun; once its first message is out, Vault's part of the handshake costs no time here.
  await new Promise((resolve) => {
    setImmediate(resolve)
  })
  const key = reusedKey ?? (await generateKey(type))
  return { key, csr: createCsr(key) }
}

function parseSigned(
  { certificate, chain }: SignedCertificate,
  where: string,
): { leaf: X509Certificate; chain: X509Certificate[]; unusable: string[] } {
  // With the format pem_bundle, the leaf's text holds the chain too.
  const [leaf, ...bundled] = parsePart(where, () => parseCertificates(certificate))
  const texts = chain.filter((each) => each.trim() !== '')
  const issuers: UsableCertificates[] = texts.map((each) => parsePart(where, () => parseUsable(each)))
  return {
    leaf,
    chain: [...bundled, ...issuers.flatMap(({ certificates }) => certificates)],
    unusable: issuers.flatMap(({ unusable }) => unusable.map((each) => `${where}: ca_chain: ${each}`)),
  }
}

function unique(certificates: readonly X509Certificate[]): X509Certificate[] {
  return [...new Map(certificates.map((certificate) => [certificate.fingerprint256, certificate])).values()]
}
