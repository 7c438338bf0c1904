/** Owns making the change of one step, and no more: what comes after it is looked at, shown and agreed to anew. */
import { isDeepStrictEqual } from 'node:util'
import { bringInStep } from '../engine/bring-in-step.ts'
import type { Change, Rotation } from './state.ts'
import { makeChange, type RotationVault } from './vault-state.ts'

export interface StepOptions {
  /** What Vault and the agents say now. */
  readonly examine: () => Promise<Rotation>
  readonly changed: (change: Change) => void
}

/**
 * @param seen what was shown to somebody who said yes to it: since then the agents may have changed their minds
 * @returns what is so afterwards
 * @throws AgentError `rotation-refused` before any change
 */
export async function makeStep(
  api: RotationVault,
  seen: Rotation,
  { examine, changed }: StepOptions,
): Promise<Rotation> {
  let now = await examine()
  const first = isAgreed(now, seen) ? now.plan : { ...now.plan, phases: [] }
  await bringInStep<Change>(first, {
    recheck: async () => {
      now = await examine()
      return isAgreed(now, seen) ? now.plan : { ...now.plan, phases: [], refusals: [] }
    },
    makeOne: async (change) => await makeChange(api, change),
    changed,
    about: (change) => ({ path: change.do, text: `${change.do} is not kept` }),
    reasons: { conflict: 'rotation-refused', contended: 'rotation-contended' },
    pool: { now: () => performance.now(), most: 1 },
  })
  return now
}

/** Meanwhile a name may be another issuer's. */
function isAgreed(now: Rotation, seen: Rotation): boolean {
  return now.step === seen.step && isDeepStrictEqual(now.plan.phases, seen.plan.phases)
}
