/**
 * Owns when a node's users are removed: a pure function of who is there, who was provisioned, and since when somebody has departed.
 *
 * Nobody is removed before the grace period is over, so that a list which is wrong for a while does no harm. Against one that
 * stays wrong (another cluster's, a truncated file, a filtering proxy) there are three stops: an empty list removes nobody; a
 * list that is not known to be up to date removes nobody; and if more than half of all nodes would go at once, each goes
 * only after `massFactor` times the grace period. Nodes that leave one by one are never more than half of those that are due.
 */

export interface NodesNow {
  /** The names that the source tells. */
  readonly present: ReadonlySet<string>
  /** Whether the source can be relied on at this moment. */
  readonly isCurrent: boolean
  /** Nodes that have users of ours. */
  readonly owned: ReadonlySet<string>
  /** Since when nodes are known to have departed. */
  readonly departed: ReadonlyMap<string, number>
  readonly nowMs: number
  readonly graceMs: number
}

export type HoldReason = 'list-empty' | 'list-not-current' | 'too-many-at-once'

export interface NodesPlan {
  /** Departed, and that is to be remembered as of now. */
  readonly vanished: readonly string[]
  /** Remembered as departed, and that is to be forgotten: they are back, or have no users any more. */
  readonly settled: readonly string[]
  readonly remove: readonly string[]
  /** Due, but not to be removed now. */
  readonly held: readonly string[]
  readonly why: HoldReason | undefined
  /** Departed with users, `held` included. */
  readonly pending: number
  /** When the next one may be removed; undefined if time alone removes nobody. */
  readonly nextAtMs: number | undefined
}

/** With the default grace of an hour, a day to notice the alert. */
export const massFactor = 24
/** What is remembered as later than this from now was written by a clock that was wrong. */
const clockToleranceMs = 60_000

export function planNodes({ present, isCurrent, owned, departed, nowMs, graceMs }: NodesNow): NodesPlan {
  const settled = [...departed.keys()].filter((node) => present.has(node) || !owned.has(node))
  const vanished: string[] = []
  const since = new Map<string, number>()
  for (const node of owned) {
    if (present.has(node)) continue
    const departedAtMs = departed.get(node)
    // A source that is behind must not start anybody's grace period.
    if (departedAtMs !== undefined && departedAtMs <= nowMs + clockToleranceMs) since.set(node, departedAtMs)
    else if (isCurrent) {
      vanished.push(node)
      since.set(node, nowMs)
    }
  }
  const dueAfter = (ms: number): string[] => [...since].filter(([, at]) => at + ms <= nowMs).map(([node]) => node)
  const due = dueAfter(graceMs)
  const isMass = due.length > owned.size / 2
  const why = holdReason(due.length, present.size, isCurrent, isMass)
  const waitMs = isMass ? graceMs * massFactor : graceMs
  const remove = why === 'list-empty' || why === 'list-not-current' ? [] : dueAfter(waitMs)
  const removed = new Set(remove)
  const held = due.filter((node) => !removed.has(node))
  const waiting = [...since].filter(([node]) => !removed.has(node))
  // Who is not due yet is looked at again when due, and the held ones when their longer time is over.
  const times = waiting.map(([, at]) => (at + graceMs > nowMs ? at + graceMs : at + graceMs * massFactor))
  const nextAtMs = times.filter((at) => at > nowMs).reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY)
  return {
    vanished,
    settled,
    remove,
    held,
    why: held.length > 0 ? why : undefined,
    pending: waiting.length,
    nextAtMs: nextAtMs === Number.POSITIVE_INFINITY ? undefined : nextAtMs,
  }
}

function holdReason(due: number, present: number, isCurrent: boolean, isMass: boolean): HoldReason | undefined {
  if (due === 0) return undefined
  if (present === 0) return 'list-empty'
  if (!isCurrent) return 'list-not-current'
  return isMass ? 'too-many-at-once' : undefined
}
