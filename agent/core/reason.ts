/** Owns what a reason is made of; the reasons themselves are in reason-catalog.ts and reasons/. */

/** How an attempt that ended with this reason is tried again (backoff.ts): each class has its own ladder. */
export type RetryClass = 'outage' | 'refused' | 'local' | 'awaited'

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
    | 'rotation'
    | 'source'
    | 'consumer'
  readonly retry: RetryClass
  /** What happened, as a clause that follows the name of the thing. */
  readonly summary: string
  /** What an operator should do. */
  readonly advice: string
}

/** Makes reasons that are about one thing, each by how it is tried again. */
export function reasonsAbout(about: Reason['about']) {
  const triedAgain =
    (retry: RetryClass) =>
    (summary: string, advice: string): Reason => ({ about, retry, summary, advice })
  return {
    outage: triedAgain('outage'),
    refused: triedAgain('refused'),
    local: triedAgain('local'),
    awaited: triedAgain('awaited'),
  }
}

/** Where the runbook tells about a code or an alert: what log, probes and terminal give as the link. */
export function runbookOf(name: string): string {
  return `${runbook()}#${name.toLowerCase()}`
}

/** Where doctor.md tells about a check: beside the runbook, if the address of that ends in its name (`…/runbook.md`, `…/runbook/`). */
export function doctorPageOf(check: string): string {
  const name = /\brunbook(?=(\.\w+|\/)?$)/
  return `${name.test(runbook()) ? runbook().replace(name, 'doctor') : 'docs/doctor.md'}#${check}`
}

/** AGENT_RUNBOOK_URL of this process, else that of the build (build/build.ts). Empty is unset, as for every variable. */
function runbook(): string {
  return process.env['AGENT_RUNBOOK_URL']?.trim() || process.env['RUNBOOK_URL_OF_BUILD'] || 'docs/runbook.md'
}
