/** Owns which metrics `provision watch` has beside those of its certificate. */
import type { Clock } from '../../core/clock.ts'
import { type MetricRegistry, one, zero } from './metric-registry.ts'

export interface ProvisionMetricsOptions {
  /** Users of one node. */
  readonly usersPerNode: number
  /** Users of components that run once a cluster. */
  readonly otherUsers: number
}

export function addProvisionMetrics(
  { counter, gauge }: MetricRegistry,
  clock: Clock,
  { usersPerNode, otherUsers }: ProvisionMetricsOptions,
): void {
  gauge('provision_nodes', 'Nodes that the source tells.', [], { 'provision-nodes': ({ count }) => count })
  gauge('provision_source_up', '1 while the source of node names can be relied on.', [], {
    'provision-source-reached': one,
    'provision-source-failed': zero,
  })
  gauge('provision_users', 'Users that provision keeps in etcd.', [], {
    'provision-done': ({ nodes }) => nodes * usersPerNode + otherUsers,
  })
  gauge('provision_pending_removals', 'Nodes that are gone and still have users.', [], {
    'provision-done': ({ pending }) => pending,
  })
  gauge('provision_held_removals', 'Nodes whose users are due but kept by the safety stop.', [], {
    'provision-done': ({ held }) => held,
  })
  gauge('provision_conflicts', 'Users and roles in etcd that somebody else made and that are left alone.', [], {
    'provision-done': ({ conflicts }) => conflicts,
  })
  gauge('provision_last_success_timestamp_seconds', 'When etcd was last brought in step.', [], {
    'provision-done': () => clock.now() / 1000,
  })
  counter('provision_changes_total', 'Changes made in etcd by kind.', ['kind'], { 'provision-change': one })
  counter('provision_failures_total', 'Failures by reason, of etcd and of the source of node names.', ['reason'], {
    'provision-source-failed': one,
    'provision-failed': one,
    'provision-identity-refused': one,
  })
  counter('provision_identity_changes_total', 'Connections with a new certificate.', [], {
    'provision-identity': ({ isFirst }) => (isFirst ? 0 : 1),
  })
}
