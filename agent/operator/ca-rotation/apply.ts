/** Owns making the change of one step, and no more: what comes after it is looked at, shown and agreed to anew. */
import { isDeepStrictEqual } from 'node:util'
import { AgentError } from '../../core/errors.ts'
import { bringInStep } from '../engine/bring-in-step.ts'
import { keyFields } from '../vault-setup/resources.ts'
import { pathOf } from './describe.ts'
import type { Change, Rotation } from './state.ts'
import type { RotationVault } from './vault-state.ts'

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
    pool: { most: 1 },
  })
  return now
}

/** Meanwhile a name may be another issuer's. */
function isAgreed(now: Rotation, seen: Rotation): boolean {
  return now.step === seen.step && isDeepStrictEqual(now.plan.phases, seen.plan.phases)
}

/** @throws AgentError `rotation-contended` if somebody else may have been faster */
async function makeChange(api: RotationVault, change: Change): Promise<void> {
  const path = pathOf(change)
  switch (change.do) {
    case 'make': {
      const { commonName: name, ttlSeconds, keyType } = change.root
      const body = { common_name: name, issuer_name: change.name, ttl: `${ttlSeconds}s`, ...keyFields[keyType] }
      try {
        await api.write(path, body)
      } catch (error) {
        // The name makes it once: of two at the same time, Vault refuses the second.
        if (!(error instanceof AgentError) || error.code !== 'vault-request-refused') throw error
        throw new AgentError('rotation-contended', error.message, { cause: error })
      }
      return
    }
    case 'switch':
      await api.write(path, { default: change.to.id })
      return
    case 'retire':
      await api.delete(path)
  }
}
