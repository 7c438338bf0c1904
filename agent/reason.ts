/** Owns what a reason is made of; the reasons themselves are in reasons.ts and beside what they are about. */

/** How an attempt that ended with this reason is tried again (rotation/backoff.ts): each class has its own ladder. */
export type RetryClass = 'outage' | 'refused' | 'local' | 'awaited'

/**
 * What somebody can change on this node so that a failure passes. `credential` is any change of what the agent logs in with,
 * `login` one of who it logs in as: a service-account token that the kubelet has only renewed is the same login.
 */
export type Input = 'credential' | 'login' | 'vault-tls' | 'etcd-ca' | 'directory' | 'source'

export interface Reason {
  readonly about:
    | 'renewal'
    | 'gate'
    | 'vault'
    | 'auth'
    | 'store'
    | 'budget'
    | 'file'
    | 'etcd'
    | 'kube'
    | 'setup'
    | 'source'
  readonly retry: RetryClass
  /** A change of these ends the wait for the next try. Default: what mends its kind (rotation/inputs.ts). */
  readonly mendedBy?: readonly Input[]
  /** What happened, as a clause that follows the name of the thing. */
  readonly says: string
  /** What an operator should do. */
  readonly advice: string
}

/** Where the runbook tells about a code or an alert: what log, probes and terminal give as the link. */
export function runbookOf(name: string): string {
  return `docs/runbook.md#${name.toLowerCase()}`
}
