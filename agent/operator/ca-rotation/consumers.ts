/** Owns who must be restarted for a new CA: programs that load `etcd-ca` once, at their start. Nobody is restarted here. */
import { listed } from './describe.ts'
import type { AgentView, ComponentView } from './state.ts'

/** By component; the others of Calico are a new process with each run. */
const restarts: Readonly<Record<string, string | undefined>> = {
  'calico-node': 'kubectl -n kube-system rollout restart daemonset/calico-node',
  'calico-kube-controllers': 'kubectl -n kube-system rollout restart deployment/calico-kube-controllers',
  'calico-cni': undefined,
  calicoctl: undefined,
}

export interface StaleConsumer {
  readonly component: string
  readonly nodes: readonly string[]
  /** Undefined: whatever starts it. */
  readonly command: string | undefined
}

/** Whose program started before its CA set got the new CA, as far as somebody knows. */
export function findStaleConsumers(agents: readonly AgentView[]): StaleConsumer[] {
  const stale = agents.flatMap(({ node, where, targets }) =>
    targets.filter(isStale).map(({ component }) => ({ component, node: node ?? where })),
  )
  return [...Map.groupBy(stale, ({ component }) => component)].map(([component, found]) => ({
    component,
    nodes: found.map(({ node }) => node),
    command: restarts[component],
  }))
}

export function staleConsumers(agents: readonly AgentView[]): string[] {
  return findStaleConsumers(agents).map(
    ({ component, nodes, command = 'restart whatever reads its files' }) =>
      `${component} started before the new CA was there, on ${listed(nodes)}; if etcd's servers will have certificates of it too, first: ${command}`,
  )
}

/** The agent alone may have been restarted since: then only somebody else knows when the program started. */
function isStale({ component, consumerStartedAtMs, addedAtMs, changedSinceStart }: ComponentView): boolean {
  if (component in restarts && restarts[component] === undefined) return false
  return consumerStartedAtMs === undefined ? changedSinceStart : consumerStartedAtMs < addedAtMs
}
