/** Owns the difference between what etcd holds and what it should hold, as an ordered list of single changes. Pure. */
import { type DesiredState, rolePrefix } from './desired.ts'
import { type Access, compareText, type Grant, rangeId } from './grants.ts'

/** Names that `provision` has made, as it recorded them in etcd (record.ts). */
export interface Made {
  readonly users: ReadonlySet<string>
  readonly roles: ReadonlySet<string>
}

export interface ActualState {
  /** Of every user that is wanted or ours; others need not be there. */
  readonly users: ReadonlyMap<string, readonly string[]>
  readonly roles: ReadonlyMap<string, readonly Grant[]>
  readonly made: Made
  /** Wanted users with a password: whoever knows it needs no certificate. */
  readonly withPassword: ReadonlySet<string>
}

export type Change =
  | { readonly do: 'add-role'; readonly role: string }
  | { readonly do: 'grant'; readonly role: string; readonly grant: Grant; readonly before?: Access }
  | { readonly do: 'add-user'; readonly user: string }
  | { readonly do: 'assign-role'; readonly user: string; readonly role: string }
  | { readonly do: 'unassign-role'; readonly user: string; readonly role: string }
  | { readonly do: 'revoke'; readonly role: string; readonly grant: Grant }
  | { readonly do: 'delete-user'; readonly user: string }
  | { readonly do: 'delete-role'; readonly role: string }

export interface Plan {
  /** In phases: all of one may be made at once, and none before those of the phase before. Empty phases are left out. */
  readonly phases: readonly (readonly Change[])[]
  /** Why nothing may be changed at all; a sentence each. */
  readonly refusals: readonly string[]
  /** What is left alone, and what to do about it by hand. */
  readonly notes: readonly string[]
}

/** etcd's own role of administrators. */
export const rootRole = 'root'

export interface PlanOptions {
  /** Also take away what `provision` has made and nobody wants any more. */
  readonly prune: boolean
}

/**
 * The order: roles and rights before the users that get them, what is taken away after that, so that at no moment a user
 * lacks what it had before and should have after. A role that several users share and that is still empty is filled last:
 * etcd computes the rights of all users anew at every change (refreshRangePermCache), and with thousands of users that is
 * most of the time of an apply. Nobody can miss it before: it was empty.
 */
export function planChanges(desired: DesiredState, actual: ActualState, { prune }: PlanOptions): Plan {
  const refusals: string[] = []
  const notes: string[] = []
  const [addRoles, grants, addUsers, assign, lateGrants, unassign, revoke, deleteUsers, deleteRoles] = Array.from(
    { length: 9 },
    (): Change[] => [],
  ) as [Change[], Change[], Change[], Change[], Change[], Change[], Change[], Change[], Change[]]

  const shared = sharedRoles(desired)
  for (const [role, wanted] of desired.roles) {
    const has = actual.roles.get(role)
    if (has === undefined) addRoles.push({ do: 'add-role', role })
    const isEmpty = has === undefined || has.length === 0
    const difference = compareGrants(role, wanted, has ?? [])
    ;(isEmpty && shared.has(role) ? lateGrants : grants).push(...difference.missing)
    if (difference.foreign.length === 0) continue
    if (actual.made.roles.has(role)) revoke.push(...difference.foreign)
    else refusals.push(foreignRole(role, difference.foreign))
  }
  for (const [user, { roles }] of desired.users) {
    const has = actual.users.get(user)
    if (has === undefined) addUsers.push({ do: 'add-user', user })
    if (actual.withPassword.has(user)) refusals.push(passwordUser(user))
    for (const role of roles) if (!has?.includes(role)) assign.push({ do: 'assign-role', user, role })
    for (const role of (has ?? []).filter((each) => !roles.includes(each)).toSorted()) {
      // Roles below our prefix are ours to give and to take; another's role only where the user is ours, and asked for.
      const isOurs = actual.made.users.has(user) && role !== rootRole
      if (role.startsWith(rolePrefix) || (prune && isOurs)) unassign.push({ do: 'unassign-role', user, role })
      else notes.push(foreignAssignment(user, role, isOurs))
    }
  }
  const unwantedUsers = [...actual.made.users].filter((user) => {
    const has = actual.users.get(user)
    // An administrator is never removed: it may be the one who is at work here.
    return has !== undefined && !desired.users.has(user) && !has.includes(rootRole)
  })
  const unwantedRoles = [...actual.made.roles].filter((role) => actual.roles.has(role) && !desired.roles.has(role))
  if (prune) {
    deleteUsers.push(...unwantedUsers.toSorted().map((user): Change => ({ do: 'delete-user', user })))
    deleteRoles.push(...unwantedRoles.toSorted().map((role): Change => ({ do: 'delete-role', role })))
  } else if (unwantedUsers.length + unwantedRoles.length > 0) {
    notes.push(
      `${unwantedUsers.length} users and ${unwantedRoles.length} roles that provision has made are not wanted any more; --prune removes them`,
    )
  }
  const phases = [
    addRoles,
    grants,
    addUsers,
    ...byEmptyRole(assign, shared, actual),
    lateGrants,
    unassign,
    revoke,
    deleteUsers,
    deleteRoles,
  ]
  return refusals.length > 0
    ? { phases: [], refusals, notes }
    : { phases: phases.filter(({ length }) => length > 0), refusals, notes }
}

export function changesOf({ phases }: Plan): Change[] {
  return phases.flat()
}

/** Roles that more than one user is to have. */
function sharedRoles({ users }: DesiredState): ReadonlySet<string> {
  const seen = new Set<string>()
  const shared = new Set<string>()
  for (const { roles } of users.values()) for (const role of roles) (seen.has(role) ? shared : seen).add(role)
  return shared
}

/** Empty roles first: while a user has only such, computing its rights costs etcd next to nothing. */
function byEmptyRole(
  assign: readonly Change[],
  shared: ReadonlySet<string>,
  { roles }: ActualState,
): [Change[], Change[]] {
  const isEmpty = (change: Change): boolean =>
    change.do === 'assign-role' && shared.has(change.role) && (roles.get(change.role)?.length ?? 0) === 0
  return [assign.filter(isEmpty), assign.filter((change) => !isEmpty(change))]
}

function compareGrants(
  role: string,
  wanted: readonly Grant[],
  has: readonly Grant[],
): { missing: Change[]; foreign: Extract<Change, { do: 'revoke' }>[] } {
  const hasById = new Map(has.map((grant) => [rangeId(grant), grant]))
  const wantedIds = new Set(wanted.map(rangeId))
  const missing = wanted.flatMap((grant): Change[] => {
    const before = hasById.get(rangeId(grant))?.access
    if (before === grant.access) return []
    return [{ do: 'grant', role, grant, ...(before !== undefined && { before }) }]
  })
  const foreign = has
    .filter((grant) => !wantedIds.has(rangeId(grant)))
    .toSorted((a, b) => compareText(a.key, b.key))
    .map((grant) => ({ do: 'revoke' as const, role, grant }))
  return { missing, foreign }
}

function foreignRole(role: string, foreign: readonly { readonly grant: Grant }[]): string {
  const { length } = foreign
  return `the role ${role} was not made by provision and has ${length} ${length === 1 ? 'grant' : 'grants'} that it does not want; look at it (etcdctl role get ${role}), then revoke them or delete the role`
}

function passwordUser(user: string): string {
  return `the user ${user} has a password: whoever knows it needs no certificate; delete the user (etcdctl user delete ${user}) and apply again, which makes it without one`
}

function foreignAssignment(user: string, role: string, isOurs: boolean): string {
  const why = isOurs ? '--prune takes it away' : `etcdctl user revoke-role ${user} ${role} takes it away`
  return `the user ${user} also has the role ${role}, which provision did not give; ${why}`
}
