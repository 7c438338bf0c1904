/** Owns obtaining certificates from Vault's PKI: a key and a request made here, signed there; and the mount's issuers. */
import type { KeyObject, X509Certificate } from 'node:crypto'
import type { Config, KeyType } from '../config/config.ts'
import { AgentError, messageOf } from '../errors.ts'
import { parseCertificates } from '../pki/certificate.ts'
import { createCsr } from '../pki/csr.ts'
import { generateKey } from '../pki/key.ts'
import type { SignedCertificate } from '../vault/answers.ts'
import type { VaultApi } from '../vault/client.ts'
import type { Session } from '../vault/session.ts'
import type { Transport } from '../vault/transport.ts'
import type { BundleSource } from './source.ts'

export interface PkiSourceOptions {
  readonly config: Pick<Config, 'pki' | 'key'>
  readonly api: VaultApi
  readonly session: Session
  readonly transport: Pick<Transport, 'hold'>
}

export function createPkiSource({ config, api, session, transport }: PkiSourceOptions): BundleSource {
  const { mount, ttlSeconds } = config.pki
  let known: ReadonlyMap<string, X509Certificate> = new Map()
  let pending: Promise<readonly X509Certificate[]> | undefined

  /** One connection for all requests of the call. */
  async function connected<Result>(call: () => Promise<Result>): Promise<Result> {
    const release = transport.hold()
    try {
      return await call()
    } finally {
      release()
    }
  }

  /** An issuer's certificate never changes under its id, so that usually only the list is read. */
  async function readIssuers(): Promise<readonly X509Certificate[]> {
    known = await connected(() => api.issuers(mount, known))
    return [...known.values()]
  }

  const issuers = (): Promise<readonly X509Certificate[]> => {
    pending ??= readIssuers().finally(() => {
      pending = undefined
    })
    return pending
  }

  return {
    issuers,
    obtain: (target, commonName, reusedKey) =>
      connected(async () => {
        // The issuers first: a certificate whose CA set cannot be had would be signed for nothing.
        const [mountIssuers, { key, csr }] = await Promise.all([issuers(), makeRequest(config.key.type, reusedKey)])
        const request = { mount, role: target.pkiRole, commonName, csr, ttlSeconds }
        const signed = await session.use((credentials) => api.sign(request, credentials))
        const [leaf, chain] = parseSigned(signed, `${mount}/sign/${target.pkiRole}`)
        const intermediates = unique(chain).filter((certificate) => certificate.subject !== certificate.issuer)
        // The signing issuer may be younger than the list.
        return { leaf, intermediates, key, issuers: [...mountIssuers, ...chain] }
      }),
  }
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
