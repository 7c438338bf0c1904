/** Owns reading the users, roles and grants that a plan is made of: those that are wanted and those that are ours. */
import { forEach, type PoolOptions } from '../engine/pool.ts'
import type { EtcdAuthApi } from './api.ts'
import type { AuthSnapshot } from './auth-snapshot.ts'
import type { DesiredState } from './desired.ts'
import type { ActualState, Made } from './plan.ts'

/** The names alone; the details come with `readActual`. */
export async function readNames(api: EtcdAuthApi, revision: string | undefined): Promise<AuthSnapshot> {
  const [users, roles] = await Promise.all([api.users(), api.roles()])
  return {
    // Without a count of etcd's, no later one ever equals this.
    revision: revision ?? '-1',
    userNames: new Set(users),
    roleNames: new Set(roles),
    users: new Map(),
    roles: new Map(),
    withPassword: new Set(),
  }
}

/** Completes `snapshot`. One call for each user and role: etcd has no other way, and each goes through its log. */
export async function readActual(
  api: EtcdAuthApi,
  snapshot: AuthSnapshot,
  desired: Pick<DesiredState, 'users' | 'roles'>,
  made: Made,
  pool: PoolOptions,
): Promise<ActualState> {
  const { users, roles, withPassword } = snapshot
  await forEach(missing(snapshot.roleNames, roles, desired.roles, made.roles), pool, async (role) => {
    const grants = await api.grantsOf(role)
    if (grants !== undefined) roles.set(role, grants)
  })
  await forEach(missing(snapshot.userNames, users, desired.users, made.users), pool, async (user) => {
    const has = await api.rolesOf(user)
    if (has === undefined) return
    users.set(user, has)
    // Ours have none: a user that was made without a password cannot get one.
    if (!made.users.has(user) && (await api.passwordOf(user)) === 'set') withPassword.add(user)
  })
  return { users, roles, made, withPassword }
}

function missing(
  names: ReadonlySet<string>,
  read: ReadonlyMap<string, unknown>,
  wanted: ReadonlyMap<string, unknown>,
  ours: ReadonlySet<string>,
): string[] {
  return [...names].filter((name) => !read.has(name) && (wanted.has(name) || ours.has(name)))
}
