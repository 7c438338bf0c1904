/** Any state of etcd, any desired state, and names in it that are somebody else's: on a model with etcd's rules. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { examine, reconcile } from '../../../../agent/operator/etcd/reconcile.ts'
import { desire, desiredRights, modelOf, options, rightsOf, state } from './states.ts'

describe('any state and any desired state', () => {
  it('around what is refused, the rest comes in step, and what is refused stays as it is', async () => {
    await fc.assert(
      fc.asyncProperty(state, desire, async (given, desired) => {
        const model = await modelOf(given)
        const around = { ...options(false), prune: new Set<string>(), around: true }
        // Those that it made itself have none.
        const strangers = given.withPassword.filter((user) => !given.madeUsers.includes(user))
        const refusedUsers = strangers.filter((user) => user in given.users && desired.users.has(user))
        const before = refusedUsers.map((user) => [...(model.content.users.get(user) ?? [])])
        const { refusals } = await reconcile(model, desired, around)
        const { plan } = await examine(model, desired, { ...around, fresh: true })
        expect(plan).toMatchObject({ phases: [], refusals })
        expect(refusedUsers.map((user) => [...(model.content.users.get(user) ?? [])])).toEqual(before)
        expect(refusals.length >= refusedUsers.length).toBe(true)
        if (refusals.length > 0) return
        for (const user of desired.users.keys()) {
          for (const right of desiredRights(desired, user)) expect(rightsOf(model, user)).toContain(right)
        }
      }),
      { numRuns: 800 },
    )
  })
})
