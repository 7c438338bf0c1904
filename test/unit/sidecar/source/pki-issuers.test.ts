import type { X509Certificate } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { BundleSource } from '../../../../agent/sidecar/source/source.ts'
import { createCa } from '../../../support/certificates.ts'
import { withDamagedKey, withUnknownAlgorithm } from '../../../support/damaged.ts'
import { bundleOf } from '../../pki/parsed.ts'
import { intermediate, obtain, parsed, prints, rig, root, wanted } from './pki-rig.ts'

const issuersOf = async (source: BundleSource): Promise<readonly X509Certificate[]> =>
  (await source.poll(wanted)).issuers ?? []

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
    await each.source.poll(wanted)
    const about = { component: 'calico-node', reason: 'ca-unusable', detail: 'pki/node/issuer/odd/json: odd' }
    const told = { type: 'ca-refresh-failed', ...about }
    expect(each.events).toEqual([told, told])
  })

  test('nothing is taken away, and nothing is renewed for its issuer, as long as one cannot be used', async () => {
    const other = await createCa({ commonName: 'Other' })
    const leaf = await other.issue({ commonName: 'calico-node:node1' })
    const published = { ...wanted, published: bundleOf(leaf, [other]) }
    const { source, vault } = rig()
    expect(await source.poll(published)).toMatchObject({ renew: 'issuer-removed' })
    vault.unusable = ['odd']
    const news = await source.poll(published)
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
})
