/** Owns what the tests of `rotate-ca` share: who signs in a mount, and a fleet that behaves as agents do, without the agents. */
import { X509Certificate } from 'node:crypto'
import { parseSetupVaultConfig } from '../../../agent/config/vault.ts'
import type { AgentsState } from '../../../agent/operator/ca-rotation/state.ts'
import { type OpenVaultAdmin, openVaultAdmin } from '../../../agent/operator/vault-setup/admin.ts'
import { shortFingerprint } from '../../../agent/pki/ca-set.ts'
import { readText } from '../../support/vault-setup-auth.ts'
import type { Lab } from '../agent/lab.ts'

export interface Issuers {
  /** Names of those that Vault lists. */
  readonly names: readonly string[]
  readonly signs: string
}

export async function issuersOf({ api }: Pick<Lab, 'api'>, mount = 'pki'): Promise<Issuers> {
  const { body } = await api.root('GET', `${mount}/issuers?list=true`)
  const info = (body.data?.['key_info'] ?? {}) as Record<string, { issuer_name: string }>
  const { body: config } = await api.root('GET', `${mount}/config/issuers`)
  const names = Object.values(info).map((each) => each.issuer_name)
  return { names: names.toSorted(), signs: info[readText(config.data, 'default')]?.issuer_name ?? '' }
}

/** A mount whose issuer `first` signs. */
export async function addMount({ api }: Pick<Lab, 'api'>, mount: string): Promise<void> {
  await api.root('POST', `sys/mounts/${mount}`, { type: 'pki', config: { max_lease_ttl: '87600h' } })
  const first = { common_name: 'CA first', issuer_name: 'first', key_type: 'ec', ttl: '8760h' }
  await api.root('POST', `${mount}/root/generate/internal`, first)
}

/** A node that has what Vault lists, and certificates of whoever signs: as if every agent had looked and renewed just now. */
export async function promptFleet({ api }: Pick<Lab, 'api'>, mount: string): Promise<AgentsState> {
  const { body } = await api.root('GET', `${mount}/issuers?list=true`)
  const { body: config } = await api.root('GET', `${mount}/config/issuers`)
  const ca = await Promise.all(
    ((body.data?.['keys'] ?? []) as string[]).map(async (id) => {
      const { status, body: found } = await api.call('GET', `${mount}/issuer/${id}/json`)
      // Somebody else has deleted it.
      if (status !== 200) return undefined
      const certificate = new X509Certificate(readText(found.data, 'certificate'))
      const inUseUntilMs = id === config.data?.['default'] ? Date.now() + 3_600_000 : 0
      return { fingerprint: shortFingerprint(certificate), subject: certificate.subject, inUseUntilMs }
    }),
  )
  const target = {
    component: 'calico-node',
    ca: ca.filter((each) => each !== undefined),
    caCount: ca.filter((each) => each !== undefined).length,
    addedAtMs: 0,
    changedSinceStart: false,
    isCopyInStep: undefined,
    isRefusedByEtcd: false,
    consumerStartedAtMs: undefined,
  }
  return { agents: [{ where: 'node1', node: 'node1', targets: [target] }], silent: [], without: [] }
}

/** As an administrator. */
export function openAdmin({ vault: { address, caFile, rootToken } }: Pick<Lab, 'vault'>): OpenVaultAdmin {
  return openVaultAdmin(parseSetupVaultConfig({ VAULT_ADDR: address, VAULT_CACERT: caFile, VAULT_TOKEN: rootToken }))
}
