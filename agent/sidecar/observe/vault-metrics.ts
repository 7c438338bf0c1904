/** Owns the metrics of the conversation with Vault: requests, logins, tokens, clocks. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import { type Operation, operations } from '../../vault/vault-event.ts'
import type { AgentEvent } from './events.ts'

const prefix = 'calico_vault_agent_'

type VaultEvent = Extract<
  AgentEvent,
  { type: 'vault-request' | 'vault-address' | 'login' | 'token' | 'credential' | 'clock-skew' }
>

/**
 * @param credentialExpiryMs reads the end of the service-account token from its file; undefined if it does not say. A file that
 *   the kubelet no longer renews would be noticed only by the next login, hours later
 */
export function createVaultMetrics(
  registers: Registry[],
  credentialExpiryMs: (() => number | undefined) | undefined,
): (event: VaultEvent) => void {
  const gauge = (name: string, help: string) => new Gauge({ name: prefix + name, help, registers })
  const counter = <const Label extends string>(name: string, help: string, labelNames: readonly Label[]) =>
    new Counter<Label>({ name: prefix + name, help, labelNames, registers })

  const requests = counter('vault_requests_total', 'Requests to Vault.', ['operation', 'outcome'])
  const failed = counter('vault_request_failures_total', 'Requests to Vault that failed.', ['operation'])
  const requestSeconds = new Histogram({
    name: `${prefix}vault_request_duration_seconds`,
    help: 'Duration of requests to Vault.',
    labelNames: ['operation'],
    buckets: [0.005, 0.02, 0.1, 0.5, 2, 10],
    registers,
  })
  const answering = new Gauge({
    name: `${prefix}vault_address_info`,
    help: 'Always 1, for the address of Vault that answered last; no series unless VAULT_ADDR names several.',
    labelNames: ['address'],
    registers,
  })
  const failovers = counter('vault_failovers_total', 'Changes to another address of Vault, by the reason.', ['reason'])
  const logins = counter('vault_logins_total', 'Successful logins to Vault.', ['method'])
  const tokenExpiry = gauge('vault_token_expiry_timestamp_seconds', 'End of the Vault token; 0 if it never ends.')
  const credentialExpiry = new Gauge({
    name: `${prefix}service_account_token_expiry_timestamp_seconds`,
    help: 'End of the service-account token in its file; 0 if it does not say.',
    registers,
    collect() {
      if (credentialExpiryMs !== undefined) this.set((credentialExpiryMs() ?? 0) / 1000)
    },
  })
  const skew = gauge('clock_skew_seconds', "Vault's clock minus this node's; 0 if they agree.")

  // A counter that begins at 0 lets increase() see its first step; outcomes are too many for that.
  for (const operation of operations) {
    requests.inc({ operation, outcome: 'ok' }, 0)
    failed.inc({ operation }, 0)
  }

  function count(operation: Operation, outcome: string): void {
    requests.inc({ operation, outcome })
    if (outcome !== 'ok') failed.inc({ operation })
  }

  return (event) => {
    switch (event.type) {
      case 'vault-request':
        count(event.operation, event.outcome)
        return requestSeconds.observe({ operation: event.operation }, event.durationMs / 1000)
      case 'vault-address':
        answering.reset()
        answering.set({ address: event.address }, 1)
        for (const { reason } of event.instead) failovers.inc({ reason })
        return undefined
      case 'login':
        logins.inc({ method: event.method })
        return tokenExpiry.set((event.expiresAtMs ?? 0) / 1000)
      case 'token':
        return tokenExpiry.set((event.expiresAtMs ?? 0) / 1000)
      case 'clock-skew':
        return skew.set(event.skewMs / 1000)
      case 'credential':
        return credentialExpiry.set((event.expiresAtMs ?? 0) / 1000)
    }
  }
}
