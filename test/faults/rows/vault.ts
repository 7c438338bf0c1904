/** Owns the faults of a real Vault itself: what its operators, its storage and its own limits do. */
import { at } from '../../support/https-json.ts'
import type { FaultRow, Stage } from '../row.ts'
import { startFaultLab } from '../stage.ts'

const group = 'Vault'

/** Something of Vault's configuration is deleted, and written again as it was. */
function without(name: string, path: string, reasons: FaultRow['reasons'], forget = false): FaultRow {
  let content: object | undefined
  return {
    group,
    name,
    reasons,
    hasOwnVault: true,
    async inject(stage) {
      content = (await stage.lab.api.root('GET', path)).body.data
      await stage.lab.api.root('DELETE', path)
      if (forget) await forgetTokens(stage)
    },
    recover: ({ lab }) => lab.api.root('POST', path, content),
  }
}

/** Vault forgets the tokens that it has given to this agent, as after a restart without its storage. */
export async function forgetTokens({ lab, proxies, cluster }: Stage): Promise<void> {
  const { api } = (await cluster?.leader()) ?? lab
  const tokens = new Set(proxies.flatMap((proxy) => [...proxy.tokens]))
  for (const token of tokens) await api.call('POST', 'auth/token/revoke', { token }, rootOf(lab))
}

const rootOf = ({ vault }: Stage['lab']) => ({ token: vault.rootToken })

/** An issuer that has just expired becomes the one that signs. */
async function expireIssuer({ lab }: Stage): Promise<void> {
  const expiring = { common_name: 'expired', issuer_name: 'expired', key_type: 'ec', ttl: '1s' }
  await lab.api.root('POST', 'pki/root/rotate/internal', expiring)
  await lab.api.root('POST', 'pki/config/issuers', { default: 'expired' })
}

export const vaultRows: readonly FaultRow[] = [
  {
    group,
    name: 'sealed',
    reasons: ['vault-sealed'],
    hasOwnVault: true,
    inject: ({ vault }) => vault.seal(),
    recover: ({ vault }) => vault.unseal(),
  },
  {
    group,
    name: 'all tokens are forgotten',
    reasons: [],
    inject: forgetTokens,
    recover: () => {},
  },
  {
    group,
    name: 'lost and set up anew: no token, no issuer, another CA',
    reasons: [],
    hasOwnVault: true,
    async inject({ lab, proxy, onEnd }) {
      const fresh = await startFaultLab()
      onEnd(() => fresh.stop())
      await trustAccounts(fresh, lab)
      proxy.retarget(fresh.vault)
    },
    recover: () => {},
  },
  without('the PKI role is deleted', 'pki/roles/calico-node', ['vault-request-refused']),
  without('the login role is deleted', 'auth/jwt/role/calico-node', ['vault-login-refused'], true),
  without('the policy is deleted', 'sys/policies/acl/calico-node-pki', ['vault-denied']),
  {
    group,
    name: 'the PKI mount is gone',
    reasons: ['vault-not-found', 'vault-denied'],
    hasOwnVault: true,
    inject: ({ lab }) => moveMount(lab, 'pki', 'away'),
    recover: ({ lab }) => moveMount(lab, 'away', 'pki'),
  },
  {
    group,
    name: 'the issuer has expired',
    reasons: ['vault-request-refused', 'vault-server-error'],
    hasOwnVault: true,
    inject: expireIssuer,
    recover: ({ lab }) => lab.api.root('POST', 'pki/config/issuers', { default: lab.setup.rootIssuerId }),
  },
  {
    group,
    name: 'another CA signs from now on',
    reasons: [],
    hasOwnVault: true,
    async inject({ lab }) {
      const second = { common_name: 'second', issuer_name: 'second', key_type: 'ec', ttl: '8760h' }
      await lab.api.root('POST', 'pki/root/rotate/internal', second)
      await lab.api.root('POST', 'pki/config/issuers', { default: 'second' })
    },
    recover: () => {},
  },
  {
    group,
    name: '429 with Retry-After, from a quota',
    reasons: ['vault-rate-limited'],
    hasOwnVault: true,
    inject: ({ lab }) => lab.api.root('POST', 'sys/quotas/rate-limit/few', { path: 'pki/', rate: 1, interval: '10s' }),
    recover: ({ lab }) => lab.api.root('DELETE', 'sys/quotas/rate-limit/few'),
  },
  {
    group,
    name: 'its storage takes five seconds for each operation',
    reasons: ['vault-timeout', 'vault-server-error'],
    hasOwnVault: true,
    async inject(stage) {
      await forgetTokens(stage)
      process.kill(stage.vault.pid, 'SIGUSR1')
    },
    recover: ({ vault }) => process.kill(vault.pid, 'SIGUSR2'),
  },
  {
    group,
    name: 'stands still (SIGSTOP)',
    reasons: ['vault-timeout'],
    hasOwnVault: true,
    inject: ({ vault }) => process.kill(vault.pid, 'SIGSTOP'),
    recover: ({ vault }) => process.kill(vault.pid, 'SIGCONT'),
  },
]

async function moveMount({ api }: Stage['lab'], from: string, to: string): Promise<void> {
  const { body } = await api.root('POST', 'sys/remount', { from, to })
  const id = String(body.data?.['migration_id'] ?? at(body, 'migration_id'))
  for (;;) {
    const status = await api.root('GET', `sys/remount/status/${id}`)
    if (at(status.body, 'data', 'migration_info', 'status') === 'success') return
  }
}

/** The new Vault is told the same issuer of service-account tokens. */
async function trustAccounts(fresh: Stage['lab'], { accounts }: Stage['lab']): Promise<void> {
  await fresh.api.root('POST', 'auth/jwt/config', {
    bound_issuer: accounts.issuer,
    jwt_validation_pubkeys: [accounts.publicKeyPem],
  })
}
