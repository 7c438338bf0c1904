/** Owns which metrics there are of the conversation with Vault: requests, logins, tokens, clocks. */
import { operations } from '../../vault/vault-event.ts'
import { type MetricRegistry, one } from './metric-registry.ts'
import type { Present } from './present.ts'

export interface VaultMetricsOptions {
  readonly present: Pick<Present, 'vaultAddress'>
  /**
   * Reads the end of the service-account token from its file; undefined if it does not say. A file that the kubelet no longer renews
   * would be noticed only by the next login, hours later.
   */
  readonly credentialExpiryMs?: (() => number | undefined) | undefined
}

export function addVaultMetrics(
  { counter, gauge, histogram, reading, hear }: MetricRegistry,
  { present, credentialExpiryMs }: VaultMetricsOptions,
): void {
  const requests = counter('vault_requests_total', 'Requests to Vault.', ['operation', 'outcome'], {
    'vault-request': one,
  })
  const failed = counter('vault_request_failures_total', 'Requests to Vault that failed.', ['operation'], {
    'vault-request': ({ outcome }) => (outcome === 'ok' ? 0 : 1),
  })
  const timed = histogram([0.005, 0.02, 0.1, 0.5, 2, 10])
  timed('vault_request_duration_seconds', 'Duration of requests to Vault.', ['operation'], {
    'vault-request': ({ durationMs }) => durationMs / 1000,
  })
  reading(
    'vault_address_info',
    'Always 1, for the address of Vault that answered last; no series unless VAULT_ADDR names several.',
    ['address'],
    () => (present.vaultAddress === undefined ? [] : [[{ address: present.vaultAddress }, 1]]),
  )
  const failovers = counter(
    'vault_failovers_total',
    'Changes to another address of Vault, by the reason.',
    ['reason'],
    {},
  )
  hear((event) => {
    if (event.type === 'vault-address') for (const { reason } of event.instead) failovers.inc({ reason })
  })
  counter('vault_logins_total', 'Successful logins to Vault.', ['method'], { login: one })
  const end = ({ expiresAtMs }: { readonly expiresAtMs: number | undefined }): number => (expiresAtMs ?? 0) / 1000
  gauge('vault_token_expiry_timestamp_seconds', 'End of the Vault token; 0 if it never ends.', [], {
    login: end,
    token: end,
  })
  const [name, help] = [
    'service_account_token_expiry_timestamp_seconds',
    'End of the service-account token in its file; 0 if it does not say.',
  ]
  if (credentialExpiryMs === undefined) gauge(name, help, [], { credential: end })
  else reading(name, help, [], () => [[{}, end({ expiresAtMs: credentialExpiryMs() })]])
  gauge('clock_skew_seconds', "Vault's clock minus this node's; 0 if they agree.", [], {
    'clock-skew': ({ skewMs }) => skewMs / 1000,
  })

  // A counter that begins at 0 lets increase() see its first step; outcomes are too many for that.
  for (const operation of operations) {
    requests.inc({ operation, outcome: 'ok' }, 0)
    failed.inc({ operation }, 0)
  }
}
