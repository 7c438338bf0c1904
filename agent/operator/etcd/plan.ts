/** Owns the difference between what etcd holds and what it should hold, as an ordered list of single changes. Pure. */
import { plural } from '../../core/text.ts'
import type { Plan } from '../engine/bring-in-step.ts'
import { type DesiredState, rolePrefix } from './desired.ts'
import { type Access, compareGrants, type Grant, isWithin, rangeId } from './grants.ts'

/** Names that `provision` has made, as it recorded them in etcd (record.ts). */
export interface Made {
  readonly users: ReadonlySet<string>
  readonly roles: ReadonlySet<string>
}

export interface ActualState {
  /** Of every user and role that is wanted or ours; of others it need not be known. */
  readonly users: ReadonlyMap<string, readonly string[] | undefined>
  readonly roles: ReadonlyMap<string, readonly Grant[] | undefined>
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

export type EtcdPlan = Plan<Change>

/** etcd's own role of administrators. */
export const rootRole = 'root'

/** True: everything that `provision` has made and nobody wants any more. A set: of that, only these users and roles. */
export type Prune = boolean | ReadonlySet<string>

export interface PlanOptions {
  /** What else to take away. */
  readonly prune: Prune
  /** Leave out the users and roles that are refused, and plan the rest: one bad name must not keep all others waiting. */
  readonly around?: boolean
}

/**
 * The order of the phases:
 *
 * - Roles and rights come before the users that get them, and what is taken away comes after that. So a user never lacks what
 *   it had before and should have after.
 * - A role that holds too much is given to nobody before that is taken away. One that is to hold more is first taken from
 *   whoever is not to have it.
 * - A role that several users share and that is still empty is filled after it was given. etcd computes the rights of all users
 *   anew at every change (refreshRangePermCache), which with thousands of users is most of the time of an apply. Nobody can miss
 *   what was empty.
 */
export function planChanges(desired: DesiredState, actual: ActualState, options: PlanOptions): EtcdPlan {
  const roles = planRoles(desired, actual)
  const users = planUsers(desired, actual, options)
  const unwanted = planUnwanted(desired, actual, options)
  const notes = [...users.notes, ...unwanted.notes]
  const refused = [...roles.refusals, ...users.refusals]
  const refusals = refused.map(({ why }) => why)
  if (refused.length > 0) {
    if (options.around !== true) return { phases: [], refusals, notes }
    return { ...planChanges(withoutRefused(desired, refused), actual, options), refusals }
  }
  const shared = sharedRoles(desired)
  const isEmpty = (role: string): boolean => shared.has(role) && (actual.roles.get(role)?.length ?? 0) === 0
  const tooWide = new Set(roles.narrow.map(({ role }) => role))
  const assign = users.assign.filter(({ role }) => !tooWide.has(role))
  const growing = new Set(roles.grant.map(({ role }) => role))
  const phases: (readonly Change[])[] = [
    users.unassign.filter(({ role }) => growing.has(role)),
    roles.add,
    roles.grant.filter(({ role }) => !isEmpty(role)),
    users.add,
    // Empty roles first: while a user has only such, computing its rights costs etcd next to nothing.
    assign.filter(({ role }) => isEmpty(role)),
    assign.filter(({ role }) => !isEmpty(role)),
    roles.grant.filter(({ role }) => isEmpty(role)),
    users.unassign.filter(({ role }) => !growing.has(role)),
    roles.narrow,
    users.assign.filter(({ role }) => tooWide.has(role)),
    unwanted.users,
    unwanted.roles,
  ]
  return { phases: phases.filter(({ length }) => length > 0), refusals, notes }
}

type Of<Do extends Change['do']> = Extract<Change, { do: Do }>

interface Refusal {
  readonly kind: 'user' | 'role'
  readonly name: string
  readonly why: string
}

/** A user goes with its role: with less than it needs it would be no use, and with a stranger's grants no good. */
function withoutRefused(desired: DesiredState, refused: readonly Refusal[]): DesiredState {
  const { roles, users } = desired
  const namesOf = (kind: Refusal['kind']) =>
    new Set(refused.filter((each) => each.kind === kind).map(({ name }) => name))
  const [badRoles, badUsers] = [namesOf('role'), namesOf('user')]
  return {
    ...desired,
    roles: new Map([...roles].filter(([role]) => !badRoles.has(role))),
    users: new Map(
      [...users].filter(([user, wanted]) => !badUsers.has(user) && !wanted.roles.some((role) => badRoles.has(role))),
    ),
  }
}

function planRoles(desired: DesiredState, { roles, made }: ActualState) {
  const add: Change[] = []
  const grant: Of<'grant'>[] = []
  /** What takes away from a role: grants that nobody wants, and those that stay with less access. */
  const narrow: Of<'grant' | 'revoke'>[] = []
  const refusals: Refusal[] = []
  for (const [role, wanted] of desired.roles) {
    const has = roles.get(role) ?? []
    if (roles.get(role) === undefined) add.push({ do: 'add-role', role })
    const hasById = new Map(has.map((each) => [rangeId(each), each]))
    const wantedIds = new Set(wanted.map(rangeId))
    for (const each of wanted) {
      const before = hasById.get(rangeId(each))?.access
      if (before === undefined) grant.push({ do: 'grant', role, grant: each })
      else if (before !== each.access) {
        const list = isWithin(before, each.access) ? grant : narrow
        list.push({ do: 'grant', role, grant: each, before })
      }
    }
    const foreign = has.filter((each) => !wantedIds.has(rangeId(each))).toSorted(compareGrants)
    if (foreign.length > 0 && !made.roles.has(role)) {
      refusals.push({ kind: 'role', name: role, why: foreignRole(role, foreign.length) })
    }
    narrow.push(...foreign.map((each) => ({ do: 'revoke' as const, role, grant: each })))
  }
  return { add, grant, narrow, refusals }
}

function planUsers(desired: DesiredState, { users, made, withPassword }: ActualState, { prune }: PlanOptions) {
  const add: Change[] = []
  const assign: Of<'assign-role'>[] = []
  const unassign: Of<'unassign-role'>[] = []
  const refusals: Refusal[] = []
  const notes: string[] = []
  for (const [user, { roles }] of desired.users) {
    const has = users.get(user)
    if (has === undefined) add.push({ do: 'add-user', user })
    if (withPassword.has(user)) refusals.push({ kind: 'user', name: user, why: passwordUser(user) })
    for (const role of roles) if (!has?.includes(role)) assign.push({ do: 'assign-role', user, role })
    for (const role of (has ?? []).filter((each) => !roles.includes(each)).toSorted()) {
      // Roles below our prefix are ours to give and to take; another's role only if the user is ours, and asked for.
      const isOurs = made.users.has(user) && role !== rootRole
      if (role.startsWith(rolePrefix) || (prune !== false && isOurs)) unassign.push({ do: 'unassign-role', user, role })
      else notes.push(foreignAssignment(user, role, isOurs))
    }
  }
  return { add, assign, unassign, refusals, notes }
}

function planUnwanted(desired: DesiredState, { users, roles, made }: ActualState, { prune }: PlanOptions) {
  const unwantedUsers = [...made.users].filter((user) => {
    const has = users.get(user)
    // An administrator is never removed: it may be the one who is at work here.
    return has !== undefined && !desired.users.has(user) && !has.includes(rootRole)
  })
  const unwantedRoles = [...made.roles].filter((role) => roles.get(role) !== undefined && !desired.roles.has(role))
  if (prune === false) {
    const counts = `${plural(unwantedUsers.length, 'user')} and ${plural(unwantedRoles.length, 'role')}`
    const note = `${counts} made by provision are no longer wanted; --prune removes them`
    return { users: [], roles: [], notes: unwantedUsers.length + unwantedRoles.length === 0 ? [] : [note] }
  }
  const goes = (name: string): boolean => prune === true || prune.has(name)
  return {
    users: unwantedUsers
      .filter(goes)
      .toSorted()
      .map((user): Change => ({ do: 'delete-user', user })),
    roles: unwantedRoles
      .filter(goes)
      .toSorted()
      .map((role): Change => ({ do: 'delete-role', role })),
    notes: [],
  }
}

/** Roles that more than one user is to have. */
function sharedRoles({ users }: DesiredState): ReadonlySet<string> {
  const seen = new Set<string>()
  const shared = new Set<string>()
  for (const { roles } of users.values()) for (const role of roles) (seen.has(role) ? shared : seen).add(role)
  return shared
}

function foreignRole(role: string, count: number): string {
  return `the role ${role} was not made by provision and has ${plural(count, 'grant')} that it does not want; look at it (etcdctl role get ${role}), then revoke them or delete the role`
}

function passwordUser(user: string): string {
  return `the user ${user} has a password: whoever knows it needs no certificate; delete the user (etcdctl user delete ${user}) and apply again, which makes it without one`
}

function foreignAssignment(user: string, role: string, isOurs: boolean): string {
  const why = isOurs ? '--prune takes it away' : `etcdctl user revoke-role ${user} ${role} takes it away`
  return `the user ${user} also has the role ${role}, which provision did not give; ${why}`
}
