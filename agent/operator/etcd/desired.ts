/** Owns what etcd should hold: users and roles with their grants, of components, naming and nodes. */
import type { Grant } from './grants.ts'
import { longNameWarning } from './nodes.ts'
import type { Profile } from './profile-table.ts'
import { type Choice, grantsOf } from './profiles.ts'

/** Roles are only ours below this prefix; users cannot have one, since a user is a certificate's common name. */
export const rolePrefix = 'calico-vault-agent/'

export interface Wanted {
  /** Names of the roles, sorted. */
  readonly roles: readonly string[]
}

export interface DesiredState {
  readonly roles: ReadonlyMap<string, readonly Grant[]>
  readonly users: ReadonlyMap<string, Wanted>
  readonly warnings: readonly string[]
}

export interface DesiredOptions extends Choice {
  readonly profiles: Readonly<Record<string, Profile>>
  readonly components: readonly string[]
  /** Only used in per-node naming. */
  readonly nodes: readonly string[]
}

/**
 * A component that runs once has the role `calico-vault-agent/COMPONENT`, and so has any in the naming by component. In
 * per-node naming it is `COMPONENT:*` for what all its users share and `COMPONENT:NODE` for what is one node's: other names,
 * so that both namings can stand beside each other while a cluster moves from one to the other.
 */
export function desiredState({ profiles, components, nodes, ...choice }: DesiredOptions): DesiredState {
  const { naming } = choice
  const roles = new Map<string, readonly Grant[]>()
  const users = new Map<string, Wanted>()
  const warnings: string[] = []
  for (const component of components) {
    const profile = profiles[component]
    if (profile === undefined) throw new Error(`there is no profile ${component}`)
    const { shared, ofNode } = grantsOf(profile, choice)
    if (naming === 'component' || profile.scope === 'cluster') {
      roles.set(`${rolePrefix}${component}`, shared)
      users.set(component, { roles: [`${rolePrefix}${component}`] })
      continue
    }
    const sharedRole = `${rolePrefix}${component}:*`
    if (shared.length > 0 && nodes.length > 0) roles.set(sharedRole, shared)
    for (const node of nodes) {
      const commonName = `${component}:${node}`
      const own = ofNode(node)
      const ownRole = `${rolePrefix}${commonName}`
      if (own.length > 0) roles.set(ownRole, own)
      users.set(commonName, { roles: [sharedRole, ownRole].filter((role) => roles.has(role)) })
      const warning = longNameWarning(commonName)
      if (warning !== undefined) warnings.push(warning)
    }
  }
  return { roles, users, warnings }
}
