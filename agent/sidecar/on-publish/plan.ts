/** The decision whom to tell of what, and when: pure. */
import type { OnPublishConfig } from '../../config/on-publish.ts'
import type { ReasonCode } from '../../core/reason-catalog.ts'
import type { Told } from '../store/records.ts'

/** What stands in the directory of a target. */
export interface Latest extends Told {
  readonly reason: ReasonCode | 'found'
  readonly notAfterMs: number
}

export interface TargetNotice {
  /** Undefined until something is published. */
  readonly latest: Latest | undefined
  /** What the consumers were told last; undefined if nothing is known. */
  readonly told: Told | undefined
  /** Undefined unless they could not be told. */
  readonly retryAtMono: number | undefined
}

export type Plan = { readonly do: 'tell'; readonly component: string } | { readonly do: 'wait'; readonly forMs: number }

/**
 * What is published again unchanged is no news. What was found at a start, with nothing known of it, is none either: consumers
 * start after the first certificate. `ca-only` tells of another CA set than the one before; the first one is read by everybody.
 */
export function isNews(
  { latest, told }: Pick<TargetNotice, 'latest' | 'told'>,
  when: OnPublishConfig['when'],
): boolean {
  if (latest === undefined) return false
  if (when === 'ca-only') return hasNewCa(latest, told)
  return told === undefined ? latest.reason !== 'found' : !isSame(told, latest)
}

export function hasNewCa(latest: Told, told: Told | undefined): boolean {
  return told !== undefined && told.ca !== latest.ca
}

export function isSame(one: Told | undefined, other: Told): boolean {
  return one?.serialNumber === other.serialNumber && one.ca === other.ca
}

/** One at a time: the operator's program need not expect a second one beside it. */
export function planNotice(
  targets: ReadonlyMap<string, TargetNotice>,
  when: OnPublishConfig['when'],
  nowMono: number,
): Plan {
  let forMs = Number.POSITIVE_INFINITY
  for (const [component, target] of targets) {
    if (!isNews(target, when)) continue
    const inMs = (target.retryAtMono ?? nowMono) - nowMono
    if (inMs <= 0) return { do: 'tell', component }
    forMs = Math.min(forMs, inMs)
  }
  return { do: 'wait', forMs }
}
