/**
 * Owns bringing a server in step with what is wanted: make what differs, look again, until nothing differs. Safe to be killed at
 * any call and to run twice at once: what another run has done in between is seen in the next round. Used for etcd and for Vault.
 */
import { AgentError } from '../../core/errors.ts'
import type { ReasonCode } from '../../core/reason-catalog.ts'
import { forEach, type PoolOptions } from './pool.ts'

export interface Plan<Change> {
  /** In phases: all of one may be made at once, and none before those of the phase before. Empty phases are left out. */
  readonly phases: readonly (readonly Change[])[]
  /** Why nothing may be changed at all; a sentence each. With `around`, what was left out. */
  readonly refusals: readonly string[]
  /** What is left alone, and what to do about it by hand. */
  readonly notes: readonly string[]
  /** What somebody else must bring before all is in step, such as `the certificate of the CA`. */
  readonly waitsFor?: string | undefined
}

export type Sign = '+' | '~' | '-'

/** How a change reads. One source for plan, log and JSON. */
export interface ChangeText {
  /** It adds, changes or takes away. */
  readonly sign: Sign
  /** To what it happens, such as `role NAME`. */
  readonly subject: string
  /** Whose it is, if each node has the same: a plan shows it once. */
  readonly node?: string | undefined
  /** What becomes of the subject as a whole. */
  readonly subjectSign: Sign
  /** Below the subject in a plan. */
  readonly lines: readonly { readonly sign: Sign; readonly text: string }[]
  /** In one line, once it was made. */
  readonly done: string
}

/** How the changes of one server read. */
export interface Wording<Change> {
  describe(change: Change): ChangeText
  /** Those that its changes can have. */
  readonly signs: readonly Sign[]
  /** The lists of changes in JSON, of planned ones or of made ones. */
  json(changes: readonly Change[], when: 'planned' | 'made'): Readonly<Record<string, unknown>>
}

export function changesOf<Change>({ phases }: Plan<Change>): Change[] {
  return phases.flat()
}

/** What differs between the servers. */
export interface Side<Change> {
  recheck(): Promise<Plan<Change>>
  /** Before the changes of a plan. */
  prepare?(plan: Plan<Change>): Promise<void>
  /**
   * @param attempt 1 for the first time in this run
   * @throws AgentError `contended` if another run may have been faster: the next look tells whether it is still to be done
   */
  makeOne(change: Change, attempt: number): Promise<void>
  /** Called after each change that was made. */
  readonly changed: (change: Change) => void
  /** Whether the rest of the plan lacks what only a look after this change tells. */
  needsRecheck?(change: Change): boolean
  /** What a change is about, and how it reads. No third change is made about the same. Without it, only the rounds are bounded. */
  readonly about?: ((change: Change) => { readonly path: string; readonly text: string }) | undefined
  /** Go on without what is refused. */
  readonly around?: boolean | undefined
  readonly reasons: { readonly conflict: ReasonCode; readonly contended: ReasonCode }
  readonly pool?: PoolOptions
}

/** Each round repairs what a second one at work has done in between; two of the same mind agree in the second. */
const mostRounds = 6
const mostAttempts = 2

/**
 * @param first what the first look has found, which somebody may have seen and said yes to
 * @returns what the last look has found: nothing that differs
 * @throws AgentError `conflict` before any change, unless `around` is set; anything else leaves a part done, which the next run completes
 */
export async function bringInStep<Change>(first: Plan<Change>, side: Side<Change>): Promise<Plan<Change>> {
  const { conflict, contended } = side.reasons
  const attempts = new Map<string, number>()
  let plan = first
  for (let round = 1; round <= mostRounds; round++) {
    if (plan.refusals.length > 0 && side.around !== true) throw new AgentError(conflict, plan.refusals.join('\n'))
    if (plan.phases.length === 0) return plan
    // A server that forgets what it is told (too old for a field), or somebody who writes something else all the time.
    const abouts = changesOf(plan).flatMap((change) => side.about?.(change) ?? [])
    const again = abouts.filter(({ path }) => (attempts.get(path) ?? 0) >= mostAttempts)
    if (again.length > 0) throw new AgentError(contended, again.map(({ text }) => text).join('\n'))
    try {
      await side.prepare?.(plan)
      await makePhases(plan, side, attempts)
    } catch (error) {
      if (!(error instanceof AgentError && error.code === contended)) throw error
    }
    plan = await side.recheck()
  }
  throw new AgentError(contended, `still not in step after ${mostRounds} rounds`)
}

async function makePhases<Change>(
  { phases }: Plan<Change>,
  side: Side<Change>,
  attempts: Map<string, number>,
): Promise<void> {
  for (const phase of phases) {
    await forEach(phase, side.pool ?? {}, async (change) => {
      const path = side.about?.(change).path ?? ''
      const attempt = 1 + (attempts.get(path) ?? 0)
      attempts.set(path, attempt)
      await side.makeOne(change, attempt)
      side.changed(change)
    })
    if (phase.some((change) => side.needsRecheck?.(change))) return
  }
}
