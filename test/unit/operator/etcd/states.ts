/** Owns states of etcd and desired states by chance, from few names, so that they meet often. */
import * as fc from 'fast-check'
import { type DesiredState, rolePrefix } from '../../../../agent/operator/etcd/desired.ts'
import { exactKey, type Grant, prefixRange, rangeId } from '../../../../agent/operator/etcd/grants.ts'
import type { Change } from '../../../../agent/operator/etcd/plan.ts'
import { recordLine, remember } from '../../../../agent/operator/etcd/record.ts'
import { createEtcdModel, type EtcdModel } from '../../../support/etcd-model.ts'

export const userNames = ['calico-node:node1', 'calico-node:node2', 'calico-cni', 'human']
const roleNames = [
  `${rolePrefix}calico-node:*`,
  `${rolePrefix}calico-node:node1`,
  `${rolePrefix}calico-cni`,
  'human',
  'root',
]
const ownRoles = roleNames.filter((name) => name.startsWith(rolePrefix))

const grant = fc.record({
  access: fc.constantFrom('read', 'write', 'readwrite'),
  range: fc.constantFrom(prefixRange('/a/'), prefixRange('/a/b/'), exactKey('/a/c'), { key: '\0', end: '\0' }),
})
const grants = fc
  .uniqueArray(grant, { selector: ({ range }) => rangeId(range), maxLength: 3 })
  .map((list): Grant[] => list.map(({ access, range }) => ({ access, ...range })))

export const state = fc.record({
  users: fc.dictionary(fc.constantFrom(...userNames), fc.uniqueArray(fc.constantFrom(...roleNames))),
  roles: fc.dictionary(fc.constantFrom(...roleNames), grants),
  madeUsers: fc.uniqueArray(fc.constantFrom(...userNames)),
  madeRoles: fc.uniqueArray(fc.constantFrom(...roleNames)),
  withPassword: fc.uniqueArray(fc.constantFrom(...userNames), { maxLength: 1 }),
})
type State = typeof state extends fc.Arbitrary<infer Value> ? Value : never

export const desire = fc
  .record({
    roles: fc.dictionary(fc.constantFrom(...ownRoles), grants),
    users: fc.dictionary(fc.constantFrom(...userNames.slice(0, 3)), fc.uniqueArray(fc.constantFrom(...ownRoles))),
  })
  .map(
    ({ roles, users }): DesiredState => ({
      roles: new Map(Object.entries(roles)),
      users: new Map(
        Object.entries(users).map(([user, wanted]) => [
          user,
          { roles: wanted.filter((role) => role in roles).toSorted() },
        ]),
      ),
      warnings: [],
    }),
  )

export async function modelOf({ users, roles, madeUsers, madeRoles, withPassword }: State): Promise<EtcdModel> {
  const model = createEtcdModel()
  for (const [role, list] of Object.entries(roles)) {
    await model.addRole(role)
    for (const each of list) await model.grant(role, each)
  }
  for (const [user, held] of Object.entries(users)) {
    await model.addUser(user)
    for (const role of held) if (role === 'root' || role in roles) await model.assignRole(user, role)
  }
  await remember(model, [
    ...madeUsers.map((user) => recordLine('user', user)),
    ...madeRoles.map((role) => recordLine('role', role)),
  ])
  for (const user of withPassword) if (user in users) model.content.withPassword.add(user)
  return model
}

export const options = (prune: boolean, changed: (change: Change) => void = () => {}) => ({
  prune,
  changed,
  now: () => 0,
})

/** What a user may do: each range and each of reading and writing is one right. */
export function rightsOf({ content }: EtcdModel, user: string): Set<string> {
  const held = [...(content.users.get(user) ?? [])].flatMap((role) => [...(content.roles.get(role)?.values() ?? [])])
  return new Set(
    held.flatMap((each) =>
      ['read', 'write'].filter((access) => each.access.includes(access)).map((access) => `${access} ${rangeId(each)}`),
    ),
  )
}

export function desiredRights({ users, roles }: DesiredState, user: string): Set<string> {
  const held = (users.get(user)?.roles ?? []).flatMap((role) => roles.get(role) ?? [])
  return new Set(
    held.flatMap((each) =>
      ['read', 'write'].filter((access) => each.access.includes(access)).map((access) => `${access} ${rangeId(each)}`),
    ),
  )
}
