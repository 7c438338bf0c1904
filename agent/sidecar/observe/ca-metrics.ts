/** Owns the metrics of the CA set in `etcd-ca`: what a CA rotation is followed by (docs/ca-rotation.md). */
import type { StateGauges } from './state-gauges.ts'

/** Labels are bounded; a set with more is no set for one cluster, and `ca_certificates` tells how many there are. */
const mostCaLabels = 20

export function addCaGauges(ofState: StateGauges): void {
  ofState.add('ca_certificates', 'CA certificates in etcd-ca.', (state) => state?.certificate?.ca.count)
  ofState.add(
    'ca_earliest_expiry_timestamp_seconds',
    'End of the CA certificate that ends first.',
    (state) => state?.certificate && state.certificate.ca.earliestExpiryMs / 1000,
  )
  ofState.add(
    'ca_changed_since_start',
    '1 where etcd-ca has changed since the agent started: consumers read it only at their start.',
    (state) => (state?.certificate?.ca.changedSinceStart === true ? 1 : 0),
  )
  ofState.add(
    'ca_added_timestamp_seconds',
    'When a CA certificate was last added to etcd-ca; after a restart of the agent, when that was written. Consumers that started later have all.',
    (state) => state?.certificate && state.certificate.ca.addedAtMs / 1000,
  )
  ofState.addMany(
    'ca_in_use_until_timestamp_seconds',
    'For each CA certificate in etcd-ca: when the last certificate that chains to it ends; 0 where none does.',
    ['fingerprint', 'subject'],
    ({ certificate }) =>
      (certificate?.ca.certificates ?? [])
        .slice(0, mostCaLabels)
        .map(({ fingerprint, subject, inUseUntilMs }) => [{ fingerprint, subject }, inUseUntilMs / 1000]),
  )
}
