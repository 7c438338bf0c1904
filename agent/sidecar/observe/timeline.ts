/** Owns what has happened to each target since the agent started: the last rotations and failures, for the status page. */
import type { Clock } from '../../core/clock.ts'
import type { ReasonCode } from '../../core/reason-catalog.ts'
import type { AgentEvent, Listener, TargetName } from './events.ts'

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

export interface Timeline {
  readonly listener: Listener
  /** Newest first. */
  of(component: string): readonly Happening[]
}

const mostHappenings = 20
const failures: ReadonlySet<Happening['what']> = new Set(['renewal-failed', 'look-failed', 'unproven'])

export function createTimeline(targets: readonly Pick<TargetName, 'component'>[], clock: Clock): Timeline {
  const happenings = new Map<string, readonly Happening[]>(targets.map(({ component }) => [component, []]))
  return {
    of: (component) => happenings.get(component) ?? [],
    listener(event) {
      const list = 'component' in event ? happenings.get(event.component) : undefined
      const happening = happeningOf(event)
      if (list === undefined || happening === undefined || !('component' in event)) return
      happenings.set(event.component, added(list, { ...happening, atMs: clock.now() }))
    },
  }
}

/** An outage of days is one line, and pushes nothing else out, also if two things fail by turns. */
function added(list: readonly Happening[], happening: Happening): readonly Happening[] {
  const success = list.findIndex(({ what }) => !failures.has(what))
  const failing = failures.has(happening.what) ? list.slice(0, success === -1 ? list.length : success) : []
  const same = failing.find(({ what, reason }) => what === happening.what && reason === happening.reason)
  if (same === undefined) return [happening, ...list].slice(0, mostHappenings)
  const merged = { ...happening, times: (same.times ?? 1) + 1, firstAtMs: same.firstAtMs ?? same.atMs }
  return [merged, ...list.filter((each) => each !== same)]
}

function happeningOf(event: AgentEvent): Omit<Happening, 'atMs'> | undefined {
  if (event.type === 'found') return { what: 'found', serialNumber: event.certificate.serialNumber }
  if (event.type === 'published') {
    return { what: 'published', serialNumber: event.certificate.serialNumber, reason: event.reason }
  }
  if (event.type === 'renewal-failed') return { what: 'renewal-failed', reason: event.reason, detail: event.detail }
  if (event.type === 'ca-refresh-failed') return { what: 'look-failed', reason: event.reason, detail: event.detail }
  if (event.type === 'recovered') return { what: 'recovered' }
  if (event.type === 'probed' && event.verdict === 'unverified' && event.outcome !== 'accepted') {
    return { what: 'unproven', reason: event.outcome, detail: event.detail }
  }
  return undefined
}
