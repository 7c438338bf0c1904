/** Owns the metrics of the CA set in `etcd-ca`: what a CA rotation is followed by (docs/ca-rotation.md). */
import { Gauge, type Registry } from 'prom-client'
import type { PublishedCertificate } from './events.ts'

type CaSet = PublishedCertificate['ca']

const prefix = 'calico_vault_agent_ca_'
/** Labels are bounded; a set with more is no set for one cluster, and `ca_certificates` tells how many there are. */
const mostCaLabels = 20

export function createCaMetrics(
  registers: Registry[],
  components: readonly string[],
): (component: string, set: CaSet) => void {
  const gauge = (name: string, help: string, labelNames: string[] = []) =>
    new Gauge({ name: prefix + name, help, labelNames: ['component', ...labelNames], registers })
  const count = gauge('certificates', 'CA certificates in etcd-ca.')
  const expiry = gauge('earliest_expiry_timestamp_seconds', 'End of the CA certificate that ends first.')
  const changed = gauge(
    'changed_since_start',
    '1 if etcd-ca has changed since the agent started: consumers read it only at their start.',
  )
  const added = gauge(
    'added_timestamp_seconds',
    'When a CA certificate was last added to etcd-ca; after a restart of the agent, when that was written. Consumers that started later have all.',
  )
  const use = gauge(
    'in_use_until_timestamp_seconds',
    'For each CA certificate in etcd-ca: when the last certificate that chains to it ends; 0 if none does.',
    ['fingerprint', 'subject'],
  )
  const shown = new Map<string, readonly Record<string, string>[]>()
  for (const component of components) changed.set({ component }, 0)

  return (component, set) => {
    count.set({ component }, set.count)
    expiry.set({ component }, set.earliestExpiryMs / 1000)
    changed.set({ component }, set.changedSinceStart ? 1 : 0)
    added.set({ component }, set.addedAtMs / 1000)
    // Those that have left the set leave the metric.
    for (const labels of shown.get(component) ?? []) use.remove(labels)
    const now = set.certificates.slice(0, mostCaLabels).map(({ fingerprint, subject, inUseUntilMs }) => {
      const labels = { component, fingerprint, subject }
      use.set(labels, inUseUntilMs / 1000)
      return labels
    })
    shown.set(component, now)
  }
}
