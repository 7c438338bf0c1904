/** Owns what has happened to a target since the agent started: the last rotations and failures, for the status. */
import type { ReasonCode } from '../../core/reason-catalog.ts'
import { type AgentEvent, type EventTable, lookUp } from './events.ts'

export interface Happening {
  readonly atMs: number
  /**
   * `renewal-failed`: what was published stayed. `look-failed`: the source could not be checked for CA changes, or its set was
   * refused. `unproven`: it was published although etcd had not accepted it.
   */
  readonly what: 'found' | 'published' | 'renewal-failed' | 'look-failed' | 'unproven' | 'recovered'
  readonly reason?: ReasonCode
  readonly detail?: string
  /** Of the certificate that was found or published. */
  readonly serialNumber?: string
  /** How often since the last success, if it is more than once; `atMs` is the last time. */
  readonly times?: number
  readonly firstAtMs?: number
}

const mostHappenings = 20
const failures: ReadonlySet<Happening['what']> = new Set(['renewal-failed', 'look-failed', 'unproven'])

/**
 * @param list newest first
 * @returns the list after one more event. An outage of days is one line, and pushes nothing else out, also if two things fail by turns
 */
export function addHappening(list: readonly Happening[], event: AgentEvent, atMs: number): readonly Happening[] {
  const happening = lookUp(happeningOf, event)
  if (happening === undefined) return list
  const success = list.findIndex(({ what }) => !failures.has(what))
  const failing = failures.has(happening.what) ? list.slice(0, success === -1 ? list.length : success) : []
  const same = failing.find(({ what, reason }) => what === happening.what && reason === happening.reason)
  if (same === undefined) return [{ ...happening, atMs }, ...list].slice(0, mostHappenings)
  const merged = { ...happening, atMs, times: (same.times ?? 1) + 1, firstAtMs: same.firstAtMs ?? same.atMs }
  return [merged, ...list.filter((each) => each !== same)]
}

const happeningOf: EventTable<Omit<Happening, 'atMs'> | undefined> = {
  found: ({ certificate }) => ({ what: 'found', serialNumber: certificate.serialNumber }),
  published: ({ certificate, reason }) => ({ what: 'published', serialNumber: certificate.serialNumber, reason }),
  'renewal-failed': ({ reason, detail }) => ({ what: 'renewal-failed', reason, detail }),
  'ca-refresh-failed': ({ reason, detail }) => ({ what: 'look-failed', reason, detail }),
  recovered: () => ({ what: 'recovered' }),
  probed: ({ verdict, outcome, detail }) =>
    verdict === 'unverified' && outcome !== 'accepted' ? { what: 'unproven', reason: outcome, detail } : undefined,
}
