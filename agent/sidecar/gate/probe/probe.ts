/**
 * Owns asking etcd whether it accepts a bundle: every member at once, within one deadline, once. A bundle of its own in dist/
 * that is loaded when a probe is due for the first time.
 */
import type { Identity } from './connection.ts'
import { askMember } from './member.ts'
import { type Finding, summarize } from './outcome.ts'

export interface Question {
  readonly endpoints: readonly string[]
  readonly identity: Identity
  /** The common name. */
  readonly user: string
  readonly timeoutMs: number
  /** Ends the probe at once. */
  readonly stop: AbortSignal
}

/** Rejects only for bugs. */
export async function askEtcd({ endpoints, identity, user, timeoutMs, stop }: Question): Promise<Finding> {
  const done = new AbortController()
  const timer = setTimeout(() => done.abort(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs)
  const stopped = (): void => done.abort(new Error('the agent is stopping'))
  stop.addEventListener('abort', stopped)
  if (stop.aborted) stopped()
  try {
    const findings = endpoints.map(async (endpoint) => {
      const finding = await askMember(endpoint, identity, user, done.signal)
      // One that accepts is enough: the others need not be waited for.
      if (finding.code === 'accepted') done.abort(new Error('not needed any more'))
      return finding
    })
    return summarize(await Promise.all(findings))
  } finally {
    clearTimeout(timer)
    stop.removeEventListener('abort', stopped)
  }
}
