/** Owns what has happened to a target since the agent started: the last rotations and failures, for the status. */
import type { ReasonCode } from '../../core/reason-catalog.ts'
import { type AgentEvent, type EventTable, lookUp } from './events.ts'

export interface Happening {
  readonly atMs: number
  /**
   * `renewal-failed`: what was published stayed. `look-failed`: the source could not be checked for CA changes, or its set was
   * refused. `unproven`: it was published although etcd had not accepted it.
   */
  readonly what: (typeof happeningKinds)[number]
  readonly reason?: ReasonCode | undefined
  readonly detail?: string | undefined
  /** Of the certificate that was found or published. */
  readonly serialNumber?: string | undefined
  /** How often since the last success, if it is more than once; `atMs` is the last time. */
  readonly times?: number | undefined
  readonly firstAtMs?: number | undefined
}

const failures = ['renewal-failed', 'look-failed', 'unproven'] as const
export const happeningKinds = ['found', 'published', 'recovered', ...failures] as const

const mostHappenings = 20

/**
 * @param list newest first
 * @returns the list after one more event. An outage of days is one line, and pushes nothing else out, also if two things fail by turns
 */
export function addHappening(list: readonly Happening[], event: AgentEvent, atMs: number): readonly Happening[] {
  const happening = lookUp(happeningOf, event)
  if (happening === undefined) return list
  const success = list.findIndex((each) => !isFailure(each))
  const failing = isFailure(happening) ? list.slice(0, success === -1 ? list.length : success) : []
  const same = failing.find(({ what, reason }) => what === happening.what && reason === happening.reason)
  if (same === undefined) return [{ ...happening, atMs }, ...list].slice(0, mostHappenings)
  const merged = { ...happening, atMs, times: (same.times ?? 1) + 1, firstAtMs: same.firstAtMs ?? same.atMs }
  return [merged, ...list.filter((each) => each !== same)]
}

function isFailure({ what }: Pick<Happening, 'what'>): boolean {
  return failures.some((each) => each === what)
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
