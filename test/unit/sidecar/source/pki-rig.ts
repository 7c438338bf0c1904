/** Owns what the tests of the PKI source share: a source whose Vault signs with an authority made here, and what it was asked. */
// oxlint-disable-next-line import/no-unassigned-import -- @peculiar/x509 finds it in the global scope
import 'reflect-metadata'
import { type KeyObject, X509Certificate } from 'node:crypto'
import { Pkcs10CertificateRequest } from '@peculiar/x509'
import type { Target } from '../../../../agent/config/config.ts'
import { revealed } from '../../../../agent/core/secret.ts'
import type { AgentEvent } from '../../../../agent/sidecar/observe/events.ts'
import { createPkiSource } from '../../../../agent/sidecar/source/pki.ts'
import type { BundleSource, Candidate } from '../../../../agent/sidecar/source/source.ts'
import type { SignedCertificate } from '../../../../agent/vault/answers.ts'
import type { SignRequest, VaultApi } from '../../../../agent/vault/client.ts'
import type { Evidence } from '../../../../agent/vault/skew.ts'
import { createCa, type TestCa } from '../../../support/certificates.ts'
import { createFakeClock, type FakeClock } from '../../../support/fake-clock.ts'

export const root = await createCa({ commonName: 'Root' })
export const intermediate = await createCa({ commonName: 'Intermediate', issuer: root })
const target: Target = {
  component: 'calico-node',
  directory: '/x',
  pkiRole: 'node-role',
  commonName: 'calico-node:node1',
}

export const parsed = (ca: TestCa): X509Certificate => new X509Certificate(ca.certificatePem)
export const prints = (certificates: readonly X509Certificate[]): string[] =>
  certificates.map((each) => each.fingerprint256)

export interface Rig {
  readonly source: BundleSource
  readonly calls: string[]
  readonly requests: SignRequest[]
  /** What was told of Vault's clock. */
  readonly evidence: readonly (Evidence | undefined)[]
  readonly clock: FakeClock
  /** What asked whether there is time for one more issuer. */
  readonly times: readonly (() => boolean)[]
  readonly events: AgentEvent[]
  readonly vault: {
    issuers: (known: ReadonlyMap<string, X509Certificate>) => Promise<ReadonlyMap<string, X509Certificate>>
    unusable: readonly string[]
    answer: (leafPem: string) => SignedCertificate
  }
}

export function rig(signer: TestCa = root): Rig {
  const calls: string[] = []
  const requests: SignRequest[] = []
  const events: AgentEvent[] = []
  const vault: Rig['vault'] = {
    issuers: () => Promise.resolve(new Map([['root', parsed(root)]])),
    unusable: [],
    answer: (certificate) => ({ certificate, chain: [root.certificatePem.trim()] }),
  }
  const api: Pick<VaultApi, 'issuers' | 'sign'> = {
    issuers: async (mount, known, hasTime) => {
      times.push(hasTime)
      calls.push(`issuers of ${mount}, ${known.size} known`)
      const certificates = await vault.issuers(new Map(known))
      known.clear()
      for (const [id, certificate] of certificates) known.set(id, certificate)
      return { certificates, unusable: vault.unusable }
    },
    sign: async (request, credentials) => {
      calls.push(`sign as ${revealed(credentials)['X-Vault-Token']}`)
      requests.push(request)
      const { publicKey } = new Pkcs10CertificateRequest(request.csr)
      const leaf = await signer.issue({ commonName: request.commonName, publicKeyPem: publicKey.toString('pem') })
      return vault.answer(leaf.certificatePem.trim())
    },
  }
  let holders = 0
  const evidence: (Evidence | undefined)[] = []
  const clock = createFakeClock()
  const times: (() => boolean)[] = []
  const source = createPkiSource({
    config: { pki: { mount: 'pki/node', ttlSeconds: 3600 }, key: { type: 'ec-p256', reuse: 0 } },
    api: api as VaultApi,
    session: { use: (call) => call({ 'X-Vault-Token': 'held' }), maintain: () => Promise.resolve() },
    clock,
    timeoutMs: 1000,
    skew: { asking: () => (each) => void evidence.push(each) },
    transport: {
      hold: () => {
        if (holders++ === 0) calls.push('open')
        return () => {
          if (--holders === 0) calls.push('close')
        }
      },
    },
    emit: (event) => void events.push(event),
  })
  return { source, calls, requests, events, vault, evidence, clock, times }
}

export const wanted = { target, commonName: 'calico-node:node1', published: undefined }

export async function obtain({ source }: Rig, reusedKey?: KeyObject): Promise<Candidate> {
  const candidate = await source.obtain(wanted, reusedKey)
  if (candidate === undefined) throw new Error('a certificate is always made')
  return candidate
}
