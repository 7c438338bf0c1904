/** Owns the metrics of the CA set in `etcd-ca`: what a CA rotation is followed by (docs/ca-rotation.md). */
import { Gauge, type Registry } from 'prom-client'
import type { TargetView } from './events.ts'
import type { StateGauge } from './metrics.ts'

/** Labels are bounded; a set with more is no set for one cluster, and `ca_certificates` tells how many there are. */
const mostCaLabels = 20

export function createCaMetrics(
  registers: Registry[],
  gauge: StateGauge,
  states: ReadonlyMap<string, TargetView | undefined>,
): void {
  gauge('ca_certificates', 'CA certificates in etcd-ca.', (state) => state?.certificate?.ca.count)
  gauge(
    'ca_earliest_expiry_timestamp_seconds',
    'End of the CA certificate that ends first.',
    (state) => state?.certificate && state.certificate.ca.earliestExpiryMs / 1000,
  )
  gauge(
    'ca_changed_since_start',
    '1 where etcd-ca has changed since the agent started: consumers read it only at their start.',
    (state) => (state?.certificate?.ca.changedSinceStart === true ? 1 : 0),
  )
  gauge(
    'ca_added_timestamp_seconds',
    'When a CA certificate was last added to etcd-ca; after a restart of the agent, when that was written. Consumers that started later have all.',
    (state) => state?.certificate && state.certificate.ca.addedAtMs / 1000,
  )
  const use = new Gauge({
    name: 'calico_vault_agent_ca_in_use_until_timestamp_seconds',
    help: 'For each CA certificate in etcd-ca: when the last certificate that chains to it ends; 0 where none does.',
    labelNames: ['component', 'fingerprint', 'subject'],
    registers,
    collect() {
      // Those that have left the set leave the metric.
      use.reset()
      for (const [component, state] of states) {
        const { certificates = [] } = state?.certificate?.ca ?? {}
        for (const { fingerprint, subject, inUseUntilMs } of certificates.slice(0, mostCaLabels)) {
          use.set({ component, fingerprint, subject }, inUseUntilMs / 1000)
        }
      }
    },
  })
}
