/** What a rotation reads of Vault, where it is more than one root after another. */
import { expect, it } from 'vitest'
import { planRotation } from '../../../agent/operator/ca-rotation/plan.ts'
import { type RotationVault, readVaultState } from '../../../agent/operator/ca-rotation/vault-state.ts'
import { readText } from '../../support/vault-setup-auth.ts'
import { describeEachVault } from '../agent/lab.ts'
import { addMount, openAdmin, promptFleet } from './rig.ts'

describeEachVault('the state of a mount', {}, (lab) => {
  async function withApi(work: (api: RotationVault) => Promise<void>): Promise<void> {
    const api = openAdmin(lab())
    try {
      await work(api)
    } finally {
      api.close()
    }
  }

  it('knows who is above an intermediate, and who has no key', async () => {
    const { api } = lab()
    await api.root('POST', 'sys/mounts/pki-int', { type: 'pki', config: { max_lease_ttl: '8760h' } })
    const request = { common_name: 'Intermediate', key_type: 'ec' }
    const { body: made } = await api.root('POST', 'pki-int/intermediate/generate/internal', request)
    const csr = readText(made.data, 'csr')
    const { body: signed } = await api.root('POST', 'pki/root/sign-intermediate', { csr, ttl: '100h' })
    const pems = [readText(signed.data, 'certificate'), lab().setup.rootPem]
    await api.root('POST', 'pki-int/intermediate/set-signed', { certificate: pems.join('\n') })
    await withApi(async (admin) => {
      const { issuers, defaultId, maxTtlSeconds } = await readVaultState(admin, 'pki-int')
      const below = issuers.find(({ subject }) => subject === 'Intermediate')
      const above = issuers.find(({ subject }) => subject !== 'Intermediate')
      expect(issuers).toHaveLength(2)
      expect(below).toMatchObject({ canSign: true, above: [above?.id] })
      expect(above).toMatchObject({ canSign: false, above: [] })
      expect({ defaultId, maxTtlSeconds }).toEqual({ defaultId: below?.id, maxTtlSeconds: 8760 * 3600 })
    })
  })

  it('is planned with what Vault does by itself with a new issuer', async () => {
    const { api } = lab()
    await addMount(lab(), 'pki-follows')
    await withApi(async (admin) => {
      const before = await readVaultState(admin, 'pki-follows')
      expect(before.followsLatest).toBe(false)
      const eager = { default: before.defaultId, default_follows_latest_issuer: true }
      await api.root('POST', 'pki-follows/config/issuers', eager)
      const intent = {
        issuer: 'second',
        make: { commonName: 'second', ttlSeconds: 3600, keyType: 'ec-p256' },
        retire: [],
        etcdTrustsNew: true,
      } as const
      const fleet = await promptFleet(lab(), 'pki-follows')
      const plan = async () => planRotation(await readVaultState(admin, 'pki-follows'), fleet, intent, Date.now()).plan
      const [refusal = ''] = (await plan()).refusals
      expect(refusal).toContain('makes every new issuer the default at once')
      // As the message says.
      const [, path = '', fields = ''] = /vault write (\S+) (.*)$/.exec(refusal) ?? []
      await api.root(
        'POST',
        path,
        Object.fromEntries(fields.split(' ').map((each) => each.split('=') as [string, string])),
      )
      expect((await plan()).refusals).toEqual([])
    })
  })

  it('knows the roles that name their issuer, until they are changed as the message says', async () => {
    const { api, isReal, vault } = lab()
    await addMount(lab(), 'pki-pinned')
    for (const [role, issuer_ref] of [
      ['follows', 'default'],
      ['named', 'first'],
    ] as const) {
      await api.root('POST', `pki-pinned/roles/${role}`, { allow_any_name: true, key_type: 'ec', issuer_ref })
    }
    await withApi(async (admin) => {
      const { pinnedRoles, issuers } = await readVaultState(admin, 'pki-pinned')
      expect(pinnedRoles).toEqual([{ role: 'named', issuerId: issuers[0]?.id }])
      // The development Vault knows no PATCH.
      if (!isReal) return
      // As `vault patch` sends it.
      const headers = { 'content-type': 'application/merge-patch+json' }
      const changed = { issuer_ref: 'default' }
      const options = { token: vault.rootToken, headers }
      const { status } = await api.call('PATCH', 'pki-pinned/roles/named', changed, options)
      expect(status).toBe(200)
      expect((await readVaultState(admin, 'pki-pinned')).pinnedRoles).toEqual([])
    })
  })
})
