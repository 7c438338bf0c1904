/**
 * Owns what is known of etcd's users and roles at one revision of its auth store. etcd counts every change, so that after
 * our own changes the count tells whether anybody else made one: if not, nothing needs to be read again.
 */
import { type Grant, rangeId } from './grants.ts'
import type { Change } from './plan.ts'

export interface AuthSnapshot {
  /** What the count must be for this to hold. */
  revision: string
  /** Every name that there is; of those without details below, nobody has asked yet. */
  readonly userNames: Set<string>
  readonly roleNames: Set<string>
  readonly users: Map<string, readonly string[]>
  readonly roles: Map<string, readonly Grant[]>
  readonly withPassword: Set<string>
}

/** Kept by a caller that reconciles more than once. */
export interface AuthCache {
  snapshot: AuthSnapshot | undefined
}

export function createAuthCache(): AuthCache {
  return { snapshot: undefined }
}

/**
 * After one change of ours, which etcd counted as one. If it was none because somebody else was faster,
 * their change was counted in its place. If it was counted twice (a grant that was tried again), the count no longer fits, and
 * everything is read again.
 */
export function applyToSnapshot(snapshot: AuthSnapshot, change: Change): void {
  snapshot.revision = String(BigInt(snapshot.revision) + 1n)
  const { users, roles, userNames, roleNames } = snapshot
  switch (change.do) {
    case 'add-role':
      roleNames.add(change.role)
      roles.set(change.role, [])
      break
    case 'grant':
      roles.set(change.role, [...without(roles.get(change.role), change.grant), change.grant])
      break
    case 'revoke':
      roles.set(change.role, without(roles.get(change.role), change.grant))
      break
    case 'delete-role':
      roleNames.delete(change.role)
      roles.delete(change.role)
      for (const [user, held] of users) if (held.includes(change.role)) users.set(user, others(held, change.role))
      break
    case 'add-user':
      userNames.add(change.user)
      users.set(change.user, [])
      break
    case 'assign-role':
      users.set(change.user, [...others(users.get(change.user), change.role), change.role])
      break
    case 'unassign-role':
      users.set(change.user, others(users.get(change.user), change.role))
      break
    case 'delete-user':
      userNames.delete(change.user)
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
