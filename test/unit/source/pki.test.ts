// oxlint-disable-next-line import/no-unassigned-import -- @peculiar/x509 finds it in the global scope
import 'reflect-metadata'
import { type KeyObject, X509Certificate } from 'node:crypto'
import { Pkcs10CertificateRequest } from '@peculiar/x509'
import { describe, expect, test } from 'vitest'
import type { Target } from '../../../agent/config/config.ts'
import { AgentError } from '../../../agent/errors.ts'
import type { AgentEvent } from '../../../agent/observe/events.ts'
import { validityOf } from '../../../agent/pki/certificate.ts'
import { generateKey } from '../../../agent/pki/key.ts'
import { revealed } from '../../../agent/secret.ts'
import { createPkiSource } from '../../../agent/source/pki.ts'
import type { BundleSource, Candidate } from '../../../agent/source/source.ts'
import type { SignedCertificate } from '../../../agent/vault/answers.ts'
import type { SignRequest, VaultApi } from '../../../agent/vault/client.ts'
import { type Evidence, signedEvidence } from '../../../agent/vault/clock-evidence.ts'
import { createCa, type TestCa } from '../../support/certificates.ts'
import { withDamagedKey, withUnknownAlgorithm } from '../../support/damaged.ts'
import { createFakeClock, type FakeClock } from '../../support/fake-clock.ts'
import { bundleOf } from '../pki/parsed.ts'

const root = await createCa({ commonName: 'Root' })
const intermediate = await createCa({ commonName: 'Intermediate', issuer: root })
const target: Target = {
  component: 'calico-node',
  directory: '/x',
  pkiRole: 'node-role',
  commonName: 'calico-node:node1',
}

const parsed = (ca: TestCa): X509Certificate => new X509Certificate(ca.certificatePem)
const prints = (certificates: readonly X509Certificate[]): string[] => certificates.map((each) => each.fingerprint256)

const issuersOf = async (source: BundleSource): Promise<readonly X509Certificate[]> =>
  (await source.look(wanted)).issuers ?? []

interface Rig {
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

function rig(signer: TestCa = root): Rig {
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

const wanted = { target, commonName: 'calico-node:node1', published: undefined }

async function obtain({ source }: Rig, reusedKey?: KeyObject): Promise<Candidate> {
  const candidate = await source.obtain(wanted, reusedKey)
  if (candidate === undefined) throw new Error('a certificate is always made')
  return candidate
}

describe('a certificate', () => {
  test('is signed for a new key that never leaves: the issuers first, all on one connection', async () => {
    const each = rig()
    const { leaf, key, intermediates, issuers } = await obtain(each)
    expect(each.calls).toEqual(['open', 'issuers of pki/node, 0 known', 'sign as held', 'close'])
    expect(each.requests).toEqual([
      {
        mount: 'pki/node',
        role: 'node-role',
        commonName: 'calico-node:node1',
        ttlSeconds: 3600,
        csr: expect.any(String),
      },
    ])
    expect(JSON.stringify(each.requests)).not.toContain('PRIVATE')
    expect(leaf.checkPrivateKey(key)).toBe(true)
    expect(intermediates).toEqual([])
    expect(new Set(prints(issuers))).toEqual(new Set(prints([parsed(root)])))
  })

  test('tells what it says of the clock of Vault', async () => {
    const each = rig()
    const { leaf } = await obtain(each)
    expect(each.evidence).toEqual([signedEvidence(validityOf(leaf), 3600)])
  })

  test('leaves no more time to the issuers than half of what a step may take', async () => {
    const each = rig()
    await obtain(each)
    const { clock } = each
    const [hasTime] = each.times
    clock.advance(4999)
    expect(hasTime?.()).toBe(true)
    clock.advance(1)
    expect(hasTime?.()).toBe(false)
  })

  test('has another key every time, unless one is to be kept', async () => {
    const each = rig()
    const [one, other] = [await obtain(each), await obtain(each)]
    expect(one.key.equals(other.key)).toBe(false)
    const kept = await obtain(each, one.key)
    expect(kept.key).toBe(one.key)
    expect(kept.leaf.checkPrivateKey(one.key)).toBe(true)
  })

  test('has a key of the configured type', async () => {
    const { asymmetricKeyType, asymmetricKeyDetails } = (await obtain(rig())).key
    expect([asymmetricKeyType, asymmetricKeyDetails?.namedCurve]).toEqual(['ec', 'prime256v1'])
    expect((await generateKey('ed25519')).asymmetricKeyType).toBe('ed25519')
  })

  test('is not signed where the issuers cannot be had', async () => {
    const each = rig()
    each.vault.issuers = () => Promise.reject(new AgentError('vault-sealed', 'sealed'))
    await expect(obtain(each)).rejects.toMatchObject({ code: 'vault-sealed' })
    expect(each.calls).toEqual(['open', 'issuers of pki/node, 0 known', 'close'])
    each.vault.issuers = () => Promise.resolve(new Map())
    await expect(obtain(each)).resolves.toBeDefined()
  })

  test.each([
    ['nothing', ''],
    ['no PEM', 'hello'],
    ['broken PEM', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----'],
  ])('that is %s is malformed', async (_name, certificate) => {
    const each = rig()
    each.vault.answer = () => ({ certificate, chain: [] })
    await expect(obtain(each)).rejects.toMatchObject({
      code: 'malformed',
      message: expect.stringMatching(/^pki\/node\/sign\/node-role: /),
    })
    expect(each.calls.at(-1)).toBe('close')
  })
})

describe('the chain', () => {
  const chains: [string, (leafPem: string) => SignedCertificate][] = [
    ['as Vault sends it', (leaf) => ({ certificate: leaf, chain: [intermediate.certificatePem, root.certificatePem] })],
    ['without its root', (leaf) => ({ certificate: leaf, chain: [intermediate.certificatePem] })],
    [
      'of format pem_bundle',
      (leaf) => ({
        certificate: [leaf, intermediate.certificatePem, root.certificatePem].join('\n'),
        chain: [intermediate.certificatePem, root.certificatePem],
      }),
    ],
    ['without trailing newlines', (leaf) => ({ certificate: leaf, chain: [intermediate.certificatePem.trim()] })],
  ]
  test.each(chains)('%s: the intermediate goes with the leaf, once; self-signed ones do not', async (_name, answer) => {
    const each = rig(intermediate)
    each.vault.answer = answer
    const { intermediates, issuers } = await obtain(each)
    expect(prints(intermediates)).toEqual([parsed(intermediate).fingerprint256])
    // An issuer that is younger than the list counts as well.
    expect(prints(issuers)).toContain(parsed(intermediate).fingerprint256)
    expect(prints(issuers)).toContain(parsed(root).fingerprint256)
  })

  test('may be missing', async () => {
    const each = rig()
    each.vault.answer = (certificate) => ({ certificate, chain: [] })
    const { intermediates, issuers } = await obtain(each)
    expect([intermediates, prints(issuers)]).toEqual([[], [parsed(root).fingerprint256]])
  })
})

describe('the issuers', () => {
  test('are known by their ids the next time; removed ones are forgotten', async () => {
    const { source, calls, vault } = rig()
    expect(prints(await issuersOf(source))).toEqual([parsed(root).fingerprint256])
    vault.issuers = (known) => Promise.resolve(new Map([['other', known.get('root') ?? parsed(intermediate)]]))
    await issuersOf(source)
    vault.issuers = (known) => Promise.resolve(new Map(known))
    expect(prints(await issuersOf(source))).toEqual([parsed(root).fingerprint256])
    expect(calls.filter((call) => call.startsWith('issuers'))).toEqual([
      'issuers of pki/node, 0 known',
      'issuers of pki/node, 1 known',
      'issuers of pki/node, 1 known',
    ])
  })

  test('are read once for all targets that ask at the same time', async () => {
    const each = rig()
    await Promise.all([issuersOf(each.source), obtain(each), obtain(each)])
    expect(each.calls.filter((call) => call.startsWith('issuers'))).toHaveLength(1)
    expect(each.calls.filter((call) => call.startsWith('sign'))).toHaveLength(2)
    expect([each.calls[0], each.calls.at(-1)]).toEqual(['open', 'close'])
  })

  test('one that cannot be used is told, and stops nothing', async () => {
    const each = rig()
    each.vault.unusable = ['pki/node/issuer/odd/json: odd']
    await expect(obtain(each)).resolves.toBeDefined()
    await each.source.look(wanted)
    const about = { component: 'calico-node', reason: 'ca-unusable', detail: 'pki/node/issuer/odd/json: odd' }
    const told = { type: 'ca-refresh-failed', ...about }
    expect(each.events).toEqual([told, told])
  })

  test('nothing is taken away, and nothing is renewed for its issuer, as long as one cannot be used', async () => {
    const other = await createCa({ commonName: 'Other' })
    const leaf = await other.issue({ commonName: 'calico-node:node1' })
    const published = { ...wanted, published: bundleOf(leaf, [other]) }
    const { source, vault } = rig()
    expect(await source.look(published)).toMatchObject({ renew: 'issuer-removed' })
    vault.unusable = ['odd']
    const news = await source.look(published)
    expect(news.renew).toBeUndefined()
    expect(prints(news.issuers ?? [])).toEqual(prints([parsed(root), parsed(other)]))
    const candidate = await source.obtain(published, undefined)
    expect(prints(candidate?.issuers ?? [])).toContain(parsed(other).fingerprint256)
  })

  test.each([withDamagedKey, withUnknownAlgorithm])(
    'one in the chain that cannot be used is left out: %o',
    async (damage) => {
      const each = rig(intermediate)
      each.vault.answer = (certificate) => ({
        certificate,
        chain: [intermediate.certificatePem, damage(root.certificatePem)],
      })
      const { intermediates } = await obtain(each)
      expect(prints(intermediates)).toEqual([parsed(intermediate).fingerprint256])
      expect(each.events).toEqual([expect.objectContaining({ reason: 'ca-unusable' })])
    },
  )

  test.each([withDamagedKey, withUnknownAlgorithm])('a leaf that cannot be used is malformed: %o', async (damage) => {
    const each = rig()
    each.vault.answer = (certificate) => ({ certificate: damage(certificate), chain: [] })
    await expect(obtain(each)).rejects.toMatchObject({ code: 'malformed' })
  })
})
