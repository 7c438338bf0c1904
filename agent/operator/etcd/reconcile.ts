/**
 * Owns bringing etcd in step: look, plan, apply, and look again until nothing differs. Safe to be killed at any call and
 * to run twice at once. The one entry for whoever has a desired state: the commands, and whoever watches nodes.
 */
import { bringInStep, changesOf } from '../engine/bring-in-step.ts'
import type { PoolOptions } from '../engine/pool.ts'
import type { EtcdAuthApi } from './api.ts'
import { type AuthCache, applyToSnapshot, createAuthCache, readActual, readNames } from './auth-snapshot.ts'
import type { DesiredState } from './desired.ts'
import type { Pace } from './pace.ts'
import { type Change, type EtcdPlan, type Made, type Prune, planChanges } from './plan.ts'
import { digestOf, type Record, readReceipt, readRecord, recordLine, remember, tidy, writeReceipt } from './record.ts'

export interface ExamineOptions extends PoolOptions {
  readonly prune: Prune
  /** Go on without what is refused (plan.ts). */
  readonly around?: boolean
  /** Kept by a caller that reconciles more than once: a change of a few nodes then costs calls for these alone. */
  readonly cache?: AuthCache
  /** Read everything, whatever cache and receipt say. */
  readonly fresh?: boolean
}

export interface ApplyOptions extends PoolOptions {
  /** Called after each change that was made. */
  readonly changed: (change: Change) => void
  /** Default: as fast as etcd can. */
  readonly pace?: Pace
}

export type ReconcileOptions = ExamineOptions & ApplyOptions

export interface Examination {
  readonly plan: EtcdPlan
  /** Revision of etcd's auth store before the look; undefined if etcd does not tell. */
  readonly revision: string | undefined
  readonly authEnabled: boolean
  /** Undefined: a receipt made it unnecessary to read everything. */
  readonly record: Record | undefined
}

const nothingMade: Made = { users: new Set(), roles: new Set() }

/**
 * What differs. If `cache` still fits etcd's count of changes, nothing is read that is known already. If a receipt says
 * that all was in step at the count that etcd still has, that is three calls instead of one for every user and role; it only
 * counts with authentication on: without it, anybody could have written it.
 */
export async function examine(api: EtcdAuthApi, desired: DesiredState, options: ExamineOptions): Promise<Examination> {
  const { cache = createAuthCache(), fresh = false, prune } = options
  const { enabled, revision } = await api.authStatus()
  if (fresh || revision === undefined || cache.snapshot?.revision !== revision) cache.snapshot = undefined
  if (cache.snapshot === undefined && !fresh && enabled && revision !== undefined && typeof prune === 'boolean') {
    const receipt = await readReceipt(api)
    if (receipt?.revision === revision && receipt.digest === digestOf(desired, prune)) {
      return {
        plan: { phases: [], refusals: [], notes: receipt.notes },
        revision,
        authEnabled: true,
        record: undefined,
      }
    }
  }
  const record = await readRecord(api)
  const snapshot = cache.snapshot ?? (await readNames(api, revision))
  const actual = await readActual(api, snapshot, desired, relevantTo(desired, prune, record.made), options)
  cache.snapshot = snapshot
  return { plan: planChanges(desired, actual, options), revision, authEnabled: enabled, record }
}

/** With a list of what may go, nothing else that is ours need be read: one new node among thousands is a few calls. */
function relevantTo({ users, roles }: DesiredState, prune: Prune, made: Made): Made {
  if (typeof prune === 'boolean') return made
  const among = (names: ReadonlySet<string>, wanted: ReadonlyMap<string, unknown>): Set<string> =>
    new Set([...names].filter((name) => wanted.has(name) || prune.has(name)))
  return { users: among(made.users, users), roles: among(made.roles, roles) }
}

export interface Outcome {
  readonly changes: number
  readonly notes: readonly string[]
  /** Only with `around`: what was left out, and why. */
  readonly refusals: readonly string[]
}

/**
 * @param first what `examine` has just found, if that was shown to somebody who said yes to it
 * @throws AgentError `etcd-conflict` before any change, unless `around` is set; anything else leaves a part done, which the next run completes
 */
export async function reconcile(
  api: EtcdAuthApi,
  desired: DesiredState,
  options: ReconcileOptions,
  first?: Examination,
): Promise<Outcome> {
  let changes = 0
  const deletedLines = new Set<string>()
  const cache = options.cache ?? createAuthCache()
  let found = first ?? (await examine(api, desired, { ...options, cache }))
  const { notes, refusals } = await bringInStep<Change>(found.plan, {
    recheck: async () => {
      found = await examine(api, desired, { ...options, cache, fresh: false })
      return found.plan
    },
    prepare: (plan) => remember(api, newLines(plan, found.record?.made ?? nothingMade)),
    makeOne: async (change) => {
      try {
        await makePaced(api, change, options.pace)
      } catch (error) {
        // Without an answer nobody knows whether it was made.
        cache.snapshot = undefined
        throw error
      }
    },
    changed: (change) => {
      changes++
      if (cache.snapshot !== undefined) applyToSnapshot(cache.snapshot, change)
      if (change.do === 'delete-user') deletedLines.add(recordLine('user', change.user))
      if (change.do === 'delete-role') deletedLines.add(recordLine('role', change.role))
      options.changed(change)
    },
    around: options.around,
    reasons: { conflict: 'etcd-conflict', contended: 'etcd-contended' },
    pool: options,
  })
  await finish(api, desired, options.prune, found, deletedLines)
  return { changes, notes, refusals }
}

/** What the record lacks of that which is about to be made: it is written first. */
function newLines(plan: EtcdPlan, made: Made): string[] {
  return changesOf(plan).flatMap((change) => {
    if (change.do === 'add-user' && !made.users.has(change.user)) return [recordLine('user', change.user)]
    return change.do === 'add-role' && !made.roles.has(change.role) ? [recordLine('role', change.role)] : []
  })
}

const takingAway: ReadonlySet<Change['do']> = new Set(['unassign-role', 'revoke', 'delete-user', 'delete-role'])

/** A role that nobody has is the one change for which etcd computes nothing. */
async function makePaced(api: EtcdAuthApi, change: Change, pace: Pace | undefined): Promise<void> {
  if (pace === undefined || change.do === 'add-role') await makeOne(api, change)
  else await pace.change(api, () => makeOne(api, change), takingAway.has(change.do))
}

/** Cleans up and leaves the receipt. None of it is needed for what the caller wanted. */
async function finish(
  api: EtcdAuthApi,
  desired: DesiredState,
  prune: Prune,
  { plan, revision, record }: Examination,
  deletedLines: ReadonlySet<string>,
): Promise<void> {
  // The receipt that was found still holds.
  if (record === undefined) return
  await tidy(api, record, deletedLines)
  // Whoever names what may go looks at parts, and has a cache.
  if (revision === undefined || typeof prune !== 'boolean') return
  // Somebody may have changed something while we looked.
  const { enabled, revision: now } = await api.authStatus()
  if (enabled && now === revision) {
    await writeReceipt(api, { revision, digest: digestOf(desired, prune), notes: plan.notes })
  }
}

async function makeOne(api: EtcdAuthApi, change: Change): Promise<void> {
  switch (change.do) {
    case 'add-role':
      return await api.addRole(change.role)
    case 'grant':
      return await api.grant(change.role, change.grant)
    case 'add-user':
      return await api.addUser(change.user)
    case 'assign-role':
      return await api.assignRole(change.user, change.role)
    case 'unassign-role':
      return await api.unassignRole(change.user, change.role)
    case 'revoke':
      return await api.revoke(change.role, change.grant)
    case 'delete-user':
      return await api.deleteUser(change.user)
    case 'delete-role':
      return await api.deleteRole(change.role)
  }
}
