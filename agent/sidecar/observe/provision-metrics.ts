/** Owns the metrics of `provision watch`. */
import { Counter, Gauge, type Registry } from 'prom-client'
import type { Clock } from '../../core/clock.ts'
import type { ProvisionEvent } from './provision-events.ts'

const prefix = 'calico_vault_agent_provision_'

export interface ProvisionMetricsOptions {
  /** Users of one node. */
  readonly usersPerNode: number
  /** Users of components that run once a cluster. */
  readonly otherUsers: number
}

export function createProvisionMetrics(
  registers: Registry[],
  clock: Clock,
  { usersPerNode, otherUsers }: ProvisionMetricsOptions,
): (event: ProvisionEvent) => void {
  const gauge = (name: string, help: string) => new Gauge({ name: prefix + name, help, registers })
  const counter = (name: string, help: string, labelNames: string[]) =>
    new Counter({ name: prefix + name, help, labelNames, registers })
  const nodes = gauge('nodes', 'Nodes that the source tells.')
  const isReached = gauge('source_up', '1 while the source of node names can be relied on.')
  const users = gauge('users', 'Users that provision keeps in etcd.')
  const pending = gauge('pending_removals', 'Nodes that are gone and still have users.')
  const held = gauge('held_removals', 'Nodes whose users are due but kept by the safety stop.')
  const conflicts = gauge('conflicts', 'Users and roles in etcd that somebody else made and that are left alone.')
  const lastSuccess = gauge('last_success_timestamp_seconds', 'When etcd was last brought in step.')
  const changes = counter('changes_total', 'Changes made in etcd by kind.', ['kind'])
  const failures = counter('failures_total', 'Failures by reason, of etcd and of the source of node names.', ['reason'])
  const identities = counter('identity_changes_total', 'Connections with a new certificate.', [])
  return (event) => {
    switch (event.type) {
      case 'provision-nodes':
        return nodes.set(event.count)
      case 'provision-source-reached':
        return isReached.set(1)
      case 'provision-source-failed':
        isReached.set(0)
        return failures.inc({ reason: event.reason })
      case 'provision-failed':
      case 'provision-identity-refused':
        return failures.inc({ reason: event.reason })
      case 'provision-identity':
        return event.isFirst ? undefined : identities.inc()
      case 'provision-change':
        return changes.inc({ kind: event.kind })
      case 'provision-done':
        users.set(event.nodes * usersPerNode + otherUsers)
        pending.set(event.pending)
        held.set(event.held)
        conflicts.set(event.conflicts)
        return lastSuccess.set(clock.now() / 1000)
      case 'provision-node-departed':
      case 'provision-node-back':
      case 'provision-node-removed':
      case 'provision-note':
      case 'provision-held':
      case 'provision-heartbeat':
        return undefined
    }
  }
}
