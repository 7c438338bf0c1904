/** Owns the part of the file about components: whose pods they are, whose login serves them, and how they are named. */
import { isScalar, type Node } from 'yaml'
import { type Problem, readChoice, readEntries, readMap, readText } from '../../config/yaml.ts'
import { builtInProfiles, defaultComponents, type Naming, type Profile, type Scope } from '../etcd/profile-table.ts'
import type { ComponentSetup } from './setup.ts'
import { checkName, readTtl } from './values.ts'

interface Defaults {
  readonly naming: Naming
  readonly ttlSeconds: number
}

/** The CNI plugin has no agent of its own: calico-node's keeps its certificate on the host. */
const servedBy: ReadonlyMap<string, string> = new Map([['calico-cni', 'calico-node']])

/** calico-node may create tokens for it (the RBAC of Calico's manifest), bound to whatever it likes. */
const refusedServiceAccount = 'calico-cni-plugin'

export function readComponents(node: Node | undefined, defaults: Defaults, problem: Problem): ComponentSetup[] {
  if (node === undefined) return defaultComponents.map((name) => component(name, new Map(), defaults, problem))
  const entries = readEntries(node, 'components', problem)
  if (entries?.size === 0) problem(node, 'components names none')
  const components = [...(entries ?? [])].map(([name, { key, value }]) => {
    checkName(key, 'the name of a component', name, problem)
    const known = ['scope', 'login', 'namespace', 'serviceAccount', 'pods', 'ttl']
    // `calico-node:` with nothing behind it is one with the defaults.
    const isBare = isScalar(value) && value.value === null
    const fields = isBare ? undefined : readMap(value, `component ${name}`, known, problem)
    return component(name, fields ?? new Map<string, Node>(), defaults, problem)
  })
  refuseBadLogins(components, (name) => entries?.get(name)?.key, problem)
  return components
}

function component(
  name: string,
  fields: ReadonlyMap<string, Node>,
  { naming, ttlSeconds }: Defaults,
  problem: Problem,
): ComponentSetup {
  const profile: Profile | undefined = Object.entries(builtInProfiles).find(([each]) => each === name)?.[1]
  const scope = readChoice<Scope>(fields.get('scope'), 'scope', ['node', 'cluster'], problem) ?? profile?.scope
  const login = readText(fields.get('login'), 'login', problem) ?? servedBy.get(name) ?? name
  const serviceAccount = readText(fields.get('serviceAccount'), 'serviceAccount', problem) ?? name
  if (login !== name) {
    for (const field of ['namespace', 'serviceAccount', 'pods'] as const) {
      if (fields.has(field)) problem(fields.get(field), `${field} has no effect: the login of ${login} serves ${name}`)
    }
  }
  if (serviceAccount === refusedServiceAccount) {
    problem(fields.get('serviceAccount'), `${refusedServiceAccount} is refused: calico-node may create tokens for it`)
  }
  return {
    name,
    perNode: naming === 'node' && scope === 'node',
    login,
    namespace: readText(fields.get('namespace'), 'namespace', problem) ?? 'kube-system',
    serviceAccount,
    pods: readText(fields.get('pods'), 'pods', problem) ?? `${serviceAccount}-*`,
    ttlSeconds: readTtl(fields.get('ttl'), 'ttl', problem) ?? ttlSeconds,
  }
}

function refuseBadLogins(
  components: readonly ComponentSetup[],
  at: (name: string) => Node | undefined,
  problem: Problem,
): void {
  for (const { name, login, perNode } of components) {
    const server = components.find((each) => each.name === login)
    if (server === undefined) {
      problem(at(name), `${name} is served by the login of ${login}, which is no component here`)
    } else if (server.login !== server.name) {
      problem(at(name), `${name} is served by the login of ${login}, which has none of its own`)
    } else if (perNode && !server.perNode) {
      problem(at(name), `${name} has a name for each node, but the login of ${login} does not tell the node`)
    }
  }
}
