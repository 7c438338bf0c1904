/** Owns reading the users, roles and grants that a plan is made of: those that are wanted and those that are ours. */
import type { EtcdAuthApi } from './api.ts'
import type { DesiredState } from './desired.ts'
import type { Grant } from './grants.ts'
import type { ActualState, Made } from './plan.ts'
import { forEach, type PoolOptions } from './pool.ts'

/** One call for each user and role: etcd has no other way, and each goes through its log. */
export async function readActual(
  api: EtcdAuthApi,
  desired: Pick<DesiredState, 'users' | 'roles'>,
  made: Made,
  pool: PoolOptions,
): Promise<ActualState> {
  const [userNames, roleNames] = await Promise.all([api.users(), api.roles()])
  const users = new Map<string, readonly string[]>()
  const roles = new Map<string, readonly Grant[]>()
  const withPassword = new Set<string>()
  const relevant = (
    names: readonly string[],
    wanted: ReadonlyMap<string, unknown>,
    ours: ReadonlySet<string>,
  ): string[] => names.filter((name) => wanted.has(name) || ours.has(name))
  await forEach(relevant(roleNames, desired.roles, made.roles), pool, async (role) => {
    const grants = await api.grantsOf(role)
    if (grants !== undefined) roles.set(role, grants)
  })
  await forEach(relevant(userNames, desired.users, made.users), pool, async (user) => {
    const has = await api.rolesOf(user)
    if (has === undefined) return
    users.set(user, has)
    // Ours have none: a user that was made without a password cannot get one.
    if (!made.users.has(user) && (await api.passwordOf(user)) === 'set') withPassword.add(user)
  })
  return { users, roles, made, withPassword }
}
