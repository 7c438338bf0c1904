/** Owns who has and needs which CA, as the agents tell it: who publishes it, whose certificates chain to it, and who has not loaded it. */
import type { CaUse } from '../../pki/ca-set.ts'
import type { AgentView, ComponentView, Issuer } from './state.ts'

export function hasEverywhere({ targets }: AgentView, { fingerprint }: Issuer): boolean {
  return targets.length > 0 && targets.every(({ ca }) => ca.some((each) => each.fingerprint === fingerprint))
}

/** What has ended shows that nobody needs the old CA, and not that the new one serves. */
export function hasValidEverywhere({ targets }: AgentView, nowMs: number): boolean {
  return targets.every(({ ca }) => ca.some(({ inUseUntilMs }) => inUseUntilMs > nowMs))
}

/** Clocks of nodes and of whoever asks may differ; a certificate counts for so long after its end. */
const clockMarginMs = 60_000

/** Whether a certificate that may be in use chains to one of them, or nobody can say so. */
export function needsAny({ targets }: AgentView, issuers: readonly Issuer[], nowMs: number): boolean {
  return targets.some((target) => {
    const { ca, caCount, isCopyInStep } = target
    const found = usesOf([target], issuers)
    if (found.some(({ inUseUntilMs }) => inUseUntilMs > nowMs - clockMarginMs)) return true
    // Those that are not shown may be the ones; the CNI plugin's copy may be of any age.
    const shown = new Set(ca.map(({ fingerprint }) => fingerprint)).size
    return caCount === 0 || caCount > shown || (isCopyInStep === false && found.length > 0)
  })
}

/** What these targets say of these issuers. */
export function usesOf(targets: readonly ComponentView[], issuers: readonly Issuer[]): CaUse[] {
  return targets
    .flatMap(({ ca }) => ca)
    .filter(({ fingerprint }) => issuers.some((each) => each.fingerprint === fingerprint))
}

/** What loads `etcd-ca` once, at its start. */
const restarts: ReadonlyMap<string, string> = new Map([
  ['calico-node', 'kubectl -n kube-system rollout restart daemonset/calico-node'],
  ['calico-kube-controllers', 'kubectl -n kube-system rollout restart deployment/calico-kube-controllers'],
])
/** These are a new process with each run. */
const neverStale: ReadonlySet<string> = new Set(['calico-cni', 'calicoctl'])

interface StaleConsumer {
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
    command: restarts.get(component),
  }))
}

/** The agent alone may have been restarted since: then only somebody else knows when the program started. */
function isStale({ component, consumerStartedAtMs, addedAtMs, changedSinceStart }: ComponentView): boolean {
  if (neverStale.has(component)) return false
  return consumerStartedAtMs === undefined ? changedSinceStart : consumerStartedAtMs < addedAtMs
}
