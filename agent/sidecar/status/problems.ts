/** The decision what is wrong, worst first and each cause once: pure. The page puts it before everything that is well. */
import type { ReasonCode } from '../../core/reason-catalog.ts'
import type { Status, TargetStatus } from './status.ts'

/** Worst first, and how each is shown. A certificate that works but is not renewed is not simply good. */
export const conditions = {
  missing: { word: 'Missing', sign: '✕' },
  unreadable: { word: 'Unreadable', sign: '✕' },
  expired: { word: 'Expired', sign: '✕' },
  late: { word: 'Renewal overdue', sign: '!' },
  failing: { word: 'Good, but not renewing', sign: '!' },
  good: { word: 'Good', sign: '✓' },
} as const

export type Condition = keyof typeof conditions
const worstFirst = Object.keys(conditions) as Condition[]

export function conditionOf({ state, failure }: Pick<TargetStatus, 'state' | 'failure'>): Condition {
  return state === 'good' && failure !== undefined ? 'failing' : state
}

/** Worst first; among equals, who ends first. */
export function sortTargets(targets: readonly TargetStatus[]): TargetStatus[] {
  const rank = (target: TargetStatus): number => worstFirst.indexOf(conditionOf(target))
  const end = ({ certificate }: TargetStatus): number => certificate?.notAfterMs ?? 0
  return targets.toSorted((one, other) => rank(one) - rank(other) || end(one) - end(other))
}

/** How many targets are in each condition that occurs, worst first. */
export function countConditions(targets: readonly TargetStatus[]): [Condition, number][] {
  return worstFirst
    .map((each): [Condition, number] => [each, targets.filter((target) => conditionOf(target) === each).length])
    .filter(([, count]) => count > 0)
}

export interface Problem {
  readonly reason: ReasonCode
  /** Whom it concerns; none: all of them. */
  readonly components: readonly string[]
  /** What was said to the one that tried last. */
  readonly detail?: string | undefined
  readonly atMs?: number | undefined
  readonly firstAtMs?: number | undefined
  readonly retryAtMs?: number | undefined
}

/** Failed renewals, what etcd has not accepted, a Vault that does not answer, consumers that do not know: each cause once. */
export function findProblems({ targets, vault }: Pick<Status, 'targets' | 'vault'>): Problem[] {
  const found = new Map<ReasonCode, Problem>()
  for (const target of sortTargets(targets)) {
    for (const problem of problemsOf(target)) {
      const known = found.get(problem.reason)
      found.set(problem.reason, known === undefined ? problem : merged(known, problem))
    }
  }
  const failure = vault?.failure
  if (failure !== undefined && !found.has(failure.reason)) {
    found.set(failure.reason, { ...failure, components: [] })
  }
  return [...found.values()]
}

function problemsOf({ component, failure, unproven, notTold }: TargetStatus): Problem[] {
  return [failure, unproven, notTold]
    .filter((each) => each !== undefined)
    .map((each) => ({ ...each, components: [component] }))
}

function merged(one: Problem, other: Problem): Problem {
  const latest = (other.atMs ?? 0) > (one.atMs ?? 0) ? other : one
  return {
    ...latest,
    components: [...one.components, ...other.components],
    firstAtMs: smallest(one.firstAtMs, other.firstAtMs),
    retryAtMs: smallest(one.retryAtMs, other.retryAtMs),
  }
}

function smallest(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.min(one, other)
}
