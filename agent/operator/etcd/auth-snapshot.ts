/**
 * Owns what is known of etcd's users and roles at one revision of its auth store. etcd counts every change, so that after
 * our own changes the count tells whether anybody else made one: if not, nothing needs to be read again.
 */
import { forEach, type PoolOptions } from '../engine/pool.ts'
import type { EtcdAuthApi } from './api.ts'
import type { DesiredState } from './desired.ts'
import { type Grant, rangeId } from './grants.ts'
import type { ActualState, Change, Made } from './plan.ts'

export interface AuthSnapshot {
  /** What the count must be for this to hold. */
  revision: string
  /** Every name that there is, with its roles or its grants; undefined if nobody has asked for these yet. */
  readonly users: Map<string, readonly string[] | undefined>
  readonly roles: Map<string, readonly Grant[] | undefined>
  readonly withPassword: Set<string>
}

/** Kept by a caller that reconciles more than once. */
export interface AuthCache {
  snapshot: AuthSnapshot | undefined
}

export function createAuthCache(): AuthCache {
  return { snapshot: undefined }
}

/** The names alone; the details come with `readActual`. */
export async function readNames(api: EtcdAuthApi, revision: string | undefined): Promise<AuthSnapshot> {
  const [users, roles] = await Promise.all([api.users(), api.roles()])
  return {
    // Without a count of etcd's, no later one ever equals this.
    revision: revision ?? '-1',
    users: new Map(users.map((name) => [name, undefined])),
    roles: new Map(roles.map((name) => [name, undefined])),
    withPassword: new Set(),
  }
}

/**
 * Completes `snapshot` by the users and roles that are wanted or ours. One call for each: etcd has no other way, and each goes
 * through its log.
 */
export async function readActual(
  api: EtcdAuthApi,
  { users, roles, withPassword }: AuthSnapshot,
  desired: Pick<DesiredState, 'users' | 'roles'>,
  made: Made,
  pool: PoolOptions,
): Promise<ActualState> {
  await forEach(unread(roles, desired.roles, made.roles), pool, async (role) => {
    roles.set(role, await api.grantsOf(role))
  })
  await forEach(unread(users, desired.users, made.users), pool, async (user) => {
    const has = await api.rolesOf(user)
    users.set(user, has)
    // Ours have none: a user that was made without a password cannot get one.
    if (has !== undefined && !made.users.has(user) && (await api.hasPassword(user))) withPassword.add(user)
  })
  return { users, roles, made, withPassword }
}

function unread(
  known: ReadonlyMap<string, unknown>,
  wanted: ReadonlyMap<string, unknown>,
  ours: ReadonlySet<string>,
): string[] {
  return [...known.keys()].filter((name) => known.get(name) === undefined && (wanted.has(name) || ours.has(name)))
}

/**
 * After one change of ours, which etcd counted as one. If it was none because somebody else was faster,
 * their change was counted in its place. If it was counted twice (a grant that was tried again), the count no longer fits, and
 * everything is read again.
 */
export function applyToSnapshot(snapshot: AuthSnapshot, change: Change): void {
  snapshot.revision = String(BigInt(snapshot.revision) + 1n)
  const { users, roles } = snapshot
  switch (change.do) {
    case 'add-role':
      roles.set(change.role, [])
      break
    case 'grant':
      roles.set(change.role, [...without(roles.get(change.role), change.grant), change.grant])
      break
    case 'revoke':
      roles.set(change.role, without(roles.get(change.role), change.grant))
      break
    case 'delete-role':
      roles.delete(change.role)
      for (const [user, held] of users) if (held?.includes(change.role)) users.set(user, others(held, change.role))
      break
    case 'add-user':
      users.set(change.user, [])
      break
    case 'assign-role':
      users.set(change.user, [...others(users.get(change.user), change.role), change.role])
      break
    case 'unassign-role':
      users.set(change.user, others(users.get(change.user), change.role))
      break
    case 'delete-user':
      users.delete(change.user)
      break
  }
}

function without(grants: readonly Grant[] | undefined, removed: Grant): Grant[] {
  return (grants ?? []).filter((grant) => rangeId(grant) !== rangeId(removed))
}

function others(held: readonly string[] | undefined, removed: string): string[] {
  return (held ?? []).filter((role) => role !== removed)
}
