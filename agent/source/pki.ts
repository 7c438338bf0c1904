/** Owns obtaining certificates from Vault's PKI: a key and a request made here, signed there; and the mount's issuers. */
import type { KeyObject, X509Certificate } from 'node:crypto'
import type { Clock } from '../clock.ts'
import type { Config, KeyType } from '../config/config.ts'
import { AgentError, messageOf } from '../errors.ts'
import { isIssuedBy, parseCertificates, validityOf } from '../pki/certificate.ts'
import { createCsr } from '../pki/csr.ts'
import { generateKey } from '../pki/key.ts'
import type { SignedCertificate } from '../vault/answers.ts'
import type { VaultApi } from '../vault/client.ts'
import { signedEvidence } from '../vault/clock-evidence.ts'
import type { Session } from '../vault/session.ts'
import type { SkewMeter } from '../vault/skew.ts'
import { holding, type Transport } from '../vault/transport.ts'
import type { BundleSource, News, Wanted } from './source.ts'

export interface PkiSourceOptions {
  readonly config: Pick<Config, 'pki' | 'key'>
  readonly api: VaultApi
  readonly session: Session
  readonly transport: Pick<Transport, 'hold'>
  readonly skew: Pick<SkewMeter, 'asking'>
  readonly clock: Pick<Clock, 'monotonic'>
  /** Of one request to Vault. */
  readonly timeoutMs: number
}

export function createPkiSource({
  config,
  api,
  session,
  transport,
  skew,
  clock,
  timeoutMs,
}: PkiSourceOptions): BundleSource {
  const { mount, ttlSeconds } = config.pki
  const known = new Map<string, X509Certificate>()
  let pending: Promise<readonly X509Certificate[]> | undefined

  /** An issuer's certificate never changes under its id, so that usually only the list is read. */
  async function readIssuers(): Promise<readonly X509Certificate[]> {
    const until = clock.monotonic() + requestsInRefresh * timeoutMs
    await holding(transport, () => api.issuers(mount, known, () => clock.monotonic() < until))
    return [...known.values()]
  }

  const issuers = (): Promise<readonly X509Certificate[]> => {
    pending ??= readIssuers().finally(() => {
      pending = undefined
    })
    return pending
  }

  return {
    makes: true,
    isLocal: false,
    lookEveryMs,
    look: async ({ published }) => newsOf(await issuers(), published),
    obtain: ({ target, commonName }, reusedKey) =>
      holding(transport, async () => {
        // The issuers first: a certificate whose CA set cannot be had would be signed for nothing.
        const [mountIssuers, { key, csr }] = await Promise.all([issuers(), makeRequest(config.key.type, reusedKey)])
        const request = { mount, role: target.pkiRole, commonName, csr, ttlSeconds }
        let tell = skew.asking()
        const signed = await session.use((credentials) => {
          tell = skew.asking()
          return api.sign(request, credentials)
        })
        const [leaf, chain] = parseSigned(signed, `${mount}/sign/${target.pkiRole}`)
        tell(signedEvidence(validityOf(leaf), ttlSeconds))
        const intermediates = unique(chain).filter((certificate) => certificate.subject !== certificate.issuer)
        // The signing issuer may be younger than the list.
        return { leaf, intermediates, key, issuers: [...mountIssuers, ...chain] }
      }),
  }
}

/** A refresh ends in the time of so many requests, of the ten that a step may take before it counts as hung (observe/health.ts). */
const requestsInRefresh = 5

const shortestLookMs = 10_000
const longestLookMs = 3_600_000

/** The issuers are looked at 24 times in a lifetime, at most every 10 s and at least every hour. */
export function lookEveryMs(lifetimeMs: number): number {
  return Math.min(Math.max(lifetimeMs / 24, shortestLookMs), longestLookMs)
}

/** A certificate whose issuer the mount has forgotten is replaced while the CA set still holds it. */
export function newsOf(issuers: readonly X509Certificate[], published: Wanted['published']): News {
  const isOrphan = published !== undefined && !issuers.some((issuer) => isIssuedBy(published.leaf, issuer))
  return { issuers, renew: isOrphan ? 'issuer-removed' : undefined }
}

async function makeRequest(type: KeyType, reusedKey: KeyObject | undefined): Promise<{ key: KeyObject; csr: string }> {
  // Only now has the connection been begun; once its first message is out, Vault's part of the handshake costs no time here.
  await new Promise((resolve) => {
    setImmediate(resolve)
  })
  const key = reusedKey ?? (await generateKey(type))
  return { key, csr: createCsr(key) }
}

function parseSigned({ certificate, chain }: SignedCertificate, where: string): [X509Certificate, X509Certificate[]] {
  try {
    // With the format pem_bundle, the leaf's text holds the chain too.
    const [leaf, ...rest] = parseCertificates([certificate, ...chain].join('\n'))
    if (leaf !== undefined) return [leaf, rest]
  } catch (cause) {
    throw new AgentError('malformed', `${where}: ${messageOf(cause)}`, { cause })
  }
  throw new AgentError('malformed', `${where}: there is no certificate`)
}

function unique(certificates: readonly X509Certificate[]): X509Certificate[] {
  return [...new Map(certificates.map((certificate) => [certificate.fingerprint256, certificate])).values()]
}
