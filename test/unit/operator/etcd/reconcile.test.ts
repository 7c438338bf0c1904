/** Any state of etcd, any desired state, kills at every call, two at once: on a model with etcd's rules. */
import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AgentError } from '../../../../agent/core/errors.ts'
import { changesOf } from '../../../../agent/operator/engine/bring-in-step.ts'
import { createAuthCache } from '../../../../agent/operator/etcd/auth-snapshot.ts'
import { type DesiredState, desiredState, rolePrefix } from '../../../../agent/operator/etcd/desired.ts'
import { exactKey } from '../../../../agent/operator/etcd/grants.ts'
import type { Change } from '../../../../agent/operator/etcd/plan.ts'
import { builtInProfiles } from '../../../../agent/operator/etcd/profile-table.ts'
import { examine, reconcile } from '../../../../agent/operator/etcd/reconcile.ts'
import { createEtcdModel, type EtcdModel, killedAtCall } from '../../../support/etcd-model.ts'
import { desire, desiredRights, modelOf, options, rightsOf, state, userNames } from './states.ts'

describe('any state and any desired state', () => {
  it('plan, apply, and the plan is empty; a second apply does nothing', async () => {
    await fc.assert(
      fc.asyncProperty(state, desire, fc.boolean(), async (given, desired, prune) => {
        const model = await modelOf(given)
        const { plan } = await examine(model, desired, options(prune))
        const before = JSON.stringify([...model.content.users.keys(), ...model.content.roles.keys()])
        if (plan.refusals.length > 0) {
          const refused: unknown = await reconcile(model, desired, options(prune)).catch((error: unknown) => error)
          assert.ok(refused instanceof AgentError)
          assert.equal(JSON.stringify([...model.content.users.keys(), ...model.content.roles.keys()]), before)
          return
        }
        const { changes } = await reconcile(model, desired, options(prune))
        expect(changes).toBe(changesOf(plan).length)
        const after = await examine(model, desired, options(prune))
        expect(after.plan.phases).toEqual([])
        expect(after.record, 'a receipt stands for reading everything').toBeUndefined()
        // Neither the receipt nor the cache may say so where it is not true.
        const fresh = await examine(model, desired, { ...options(prune), fresh: true })
        expect(fresh.plan.phases).toEqual([])
        const { revision } = model
        expect((await reconcile(model, desired, options(prune))).changes).toBe(0)
        expect(model.revision).toBe(revision)
      }),
      { numRuns: 1500 },
    )
  })

  it('at no moment does a user have more than before and after, nor less than both', async () => {
    await fc.assert(
      fc.asyncProperty(state, desire, fc.boolean(), async (given, desired, prune) => {
        const model = await modelOf({ ...given, withPassword: [] })
        const before = new Map(userNames.map((user) => [user, rightsOf(model, user)]))
        const changes = changesOf((await examine(model, desired, options(prune))).plan)
        // Where "more" and "less" exclude each other, a user rather lacks something for a moment: a role that held too much
        // is given late, and one that is to hold more is taken away early.
        const roleOf = (change: Change): string => ('role' in change ? change.role : '')
        const granted = changes.filter(({ do: what }) => what === 'grant' || what === 'revoke').map(roleOf)
        // Neither does a grant that turns reading into writing have a moment with both.
        const swaps = changes.some((each) => each.do === 'grant' && each.before !== undefined)
        const waits = changes.some(
          (each) => each.do.endsWith('assign-role') && (swaps || granted.includes(roleOf(each))),
        )
        const check = (): void => {
          for (const user of userNames) {
            const [had, wanted, has] = [
              before.get(user) ?? new Set<string>(),
              desiredRights(desired, user),
              rightsOf(model, user),
            ]
            // A user that is not wanted may lose anything; a role that it shares may get what others want of it.
            if (!desired.users.has(user)) continue
            for (const right of has) expect(had.has(right) || wanted.has(right)).toBe(true)
            for (const right of had) expect(!wanted.has(right) || waits || has.has(right)).toBe(true)
          }
        }
        const end: unknown = await reconcile(model, desired, options(prune, check)).catch((error: unknown) => error)
        expect(end instanceof AgentError || !(end instanceof Error)).toBe(true)
      }),
      { numRuns: 800 },
    )
  })

  it('an apply that only removes never grants anything', async () => {
    await fc.assert(
      fc.asyncProperty(state, async (given) => {
        const model = await modelOf({ ...given, withPassword: [] })
        const before = new Map(userNames.map((user) => [user, rightsOf(model, user)]))
        const nothing: DesiredState = { roles: new Map(), users: new Map(), warnings: [] }
        await reconcile(
          model,
          nothing,
          options(true, ({ do: what }) => {
            expect(['unassign-role', 'revoke', 'delete-user', 'delete-role']).toContain(what)
            for (const user of userNames) {
              for (const right of rightsOf(model, user)) expect(before.get(user)?.has(right)).toBe(true)
            }
          }),
        )
      }),
      { numRuns: 400 },
    )
  })

  it('never touches a user or role that it did not make, except wanted users of the same name', async () => {
    await fc.assert(
      fc.asyncProperty(state, desire, async (given, desired) => {
        const model = await modelOf({ ...given, withPassword: [] })
        const foreignRoles = [...model.content.roles].filter(
          ([role]) => !given.madeRoles.includes(role) || !role.startsWith(rolePrefix),
        )
        const before = new Map(foreignRoles.map(([role, list]) => [role, [...list.keys()]]))
        const foreignUsers = Object.keys(given.users).filter((user) => !given.madeUsers.includes(user))
        await reconcile(model, desired, options(true)).catch(() => {})
        for (const user of foreignUsers) expect(model.content.users.has(user)).toBe(true)
        for (const [role, list] of before)
          expect([...(model.content.roles.get(role)?.keys() ?? [])]).toEqual(expect.arrayContaining(list))
      }),
      { numRuns: 400 },
    )
  })
})

describe('killed at any call', () => {
  it.each(['before', 'after'] as const)(
    '%s it got through: the next apply completes it and owns everything',
    async (moment) => {
      await fc.assert(
        fc.asyncProperty(state, desire, async (given, desired) => {
          for (let call = 1; ; call++) {
            const model = await modelOf({ ...given, withPassword: [] })
            const killed = killedAtCall(model, call, moment === 'after')
            const end = await reconcile(killed, desired, options(true)).then(
              () => 'done',
              (error: Error) => error.message,
            )
            if (end !== 'killed') return
            if ((await examine(model, desired, options(true))).plan.refusals.length > 0) return
            const known = new Set(Object.keys({ ...given.users, ...given.roles }))
            await reconcile(model, desired, options(true))
            expect((await examine(model, desired, { ...options(true), fresh: true })).plan.phases).toEqual([])
            // What the killed one had made has an owner: wanting nothing leaves nothing that was not there before.
            await reconcile(model, { roles: new Map(), users: new Map(), warnings: [] }, options(true))
            for (const name of [...model.content.users.keys(), ...model.content.roles.keys()])
              expect(known.has(name)).toBe(true)
          }
        }),
        { numRuns: 40 },
      )
    },
  )
})

describe('with a cache', () => {
  it('one desired state after the other, and somebody else at work between them', async () => {
    const meddle = fc.constantFrom<(model: EtcdModel) => Promise<unknown>>(
      async () => {},
      (model) => model.deleteUser('calico-cni'),
      (model) => model.deleteRole(`${rolePrefix}calico-cni`),
      async (model) => {
        await model.addUser('calico-cni')
        await model.assignRole('calico-cni', 'root')
      },
      async (model) => {
        await model.addRole(`${rolePrefix}calico-cni`)
        await model.grant(`${rolePrefix}calico-cni`, { access: 'readwrite', ...exactKey('/a/c') })
      },
    )
    await fc.assert(
      fc.asyncProperty(
        state,
        fc.array(fc.tuple(desire, meddle), { minLength: 2, maxLength: 5 }),
        async (given, steps) => {
          const model = await modelOf({ ...given, withPassword: [] })
          const cache = createAuthCache()
          for (const [desired, interfere] of steps) {
            await interfere(model)
            const outcome = await reconcile(model, desired, { ...options(true), cache }).catch(
              (error: unknown) => error,
            )
            const { plan } = await examine(model, desired, { ...options(true), fresh: true })
            expect(plan.phases).toEqual([])
            expect(plan.refusals.length > 0).toBe(outcome instanceof AgentError)
          }
        },
      ),
      { numRuns: 500 },
    )
  })

  it('a change of one node asks etcd for that node alone', async () => {
    const model = createEtcdModel()
    const nodes = Array.from({ length: 50 }, (_, index) => `node${index}`)
    const desiredFor = (names: readonly string[]) =>
      desiredState({
        profiles: builtInProfiles,
        components: ['calico-cni'],
        naming: 'node',
        nodes: names,
        versions: [],
        strict: true,
      })
    const cache = createAuthCache()
    await reconcile(model, desiredFor(nodes), { ...options(true), cache })
    const counted = killedAtCall(model, Number.POSITIVE_INFINITY, true)
    const { changes } = await reconcile(counted, desiredFor([...nodes.slice(1), 'new']), { ...options(true), cache })
    expect(changes).toBe(7)
    expect(counted.calls()).toBeLessThan(changes + 12)
  })
})

describe('two at once', () => {
  it('of the same mind end in step', async () => {
    await fc.assert(
      fc.asyncProperty(state, desire, fc.scheduler(), async (given, desired, scheduler) => {
        const model = await modelOf({ ...given, withPassword: [] })
        const slow = new Proxy(model, {
          get(target, name) {
            const value: unknown = Reflect.get(target, name)
            if (typeof value !== 'function') return value
            return scheduler.scheduleFunction(async (...args: unknown[]) =>
              (value as (...all: unknown[]) => Promise<unknown>).apply(target, args),
            )
          },
        })
        const both = Promise.allSettled([
          reconcile(slow, desired, options(true)),
          reconcile(slow, desired, options(true)),
        ])
        await scheduler.waitFor(both)
        const results = await both
        const { plan } = await examine(model, desired, { ...options(true), fresh: true })
        expect(plan.phases).toEqual([])
        const status = plan.refusals.length > 0 ? 'rejected' : 'fulfilled'
        expect(results.map((result) => result.status)).toEqual([status, status])
      }),
      { numRuns: 60 },
    )
  })
})
