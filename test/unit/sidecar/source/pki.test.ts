import { describe, expect, test } from 'vitest'
import { AgentError } from '../../../../agent/core/errors.ts'
import { validityOf } from '../../../../agent/pki/certificate.ts'
import { generateKey } from '../../../../agent/pki/key.ts'
import type { SignedCertificate } from '../../../../agent/vault/answers.ts'
import { signedEvidence } from '../../../../agent/vault/skew.ts'
import { withDamagedKey, withUnknownAlgorithm } from '../../../support/damaged.ts'
import { intermediate, obtain, parsed, prints, rig, root } from './pki-rig.ts'

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

  test.each([withDamagedKey, withUnknownAlgorithm])('a leaf that cannot be used is malformed: %o', async (damage) => {
    const each = rig()
    each.vault.answer = (certificate) => ({ certificate: damage(certificate), chain: [] })
    await expect(obtain(each)).rejects.toMatchObject({ code: 'malformed' })
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
