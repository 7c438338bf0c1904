/** Owns the file of `setup-vault`: its YAML checked to the last field, every problem with its line and column. */
import { isScalar, type Node } from 'yaml'
import { type Problem, parseYaml, readEntries, readMap, type YamlFile } from '../../config/yaml.ts'
import { keyTypes } from '../../pki/key.ts'
import { checkNodeNames } from '../etcd/nodes.ts'
import { builtInProfiles, defaultComponents, type Naming, type Profile } from '../etcd/profile-table.ts'
import { checkName, type Section, sectionOf } from './section.ts'
import { type Auth, type ComponentSetup, FileRef, type JwtAuth, type Pki, type Setup } from './setup.ts'

export function parseSetup(text: string): YamlFile<Setup> {
  return parseYaml(text, (top, problem) => {
    const known = ['cluster', 'kubernetes', 'auth', 'pki', 'naming', 'components']
    const fields = readMap(top, 'the file', known, problem)
    if (fields === undefined) return undefined
    const file = sectionOf(fields, problem)
    const section = (name: string, names: readonly string[]): Section => {
      const node = file.at(name)
      return sectionOf(node && readMap(node, name, names, problem), problem)
    }
    const cluster = readCluster(file, top, problem)
    const authSection = section('auth', ['method', 'mount', 'tokenTtl', 'nodes'])
    const pki = section('pki', ['mount', 'ca', 'commonName', 'caTtl', 'certificateFile', 'keyType', 'ttl'])
    const naming = file.choice('naming', ['node', 'component']) ?? 'node'
    const ttlSeconds = pki.seconds('ttl') ?? 24 * 3600
    const components = readComponents(file.at('components'), { naming, ttlSeconds }, problem)
    const auth = readAuth(authSection, file, top, problem)
    if (auth?.method === 'approle') refuseSharedRoleIds(auth.nodes, components, authSection)
    if (auth === undefined || cluster === undefined) return undefined
    return { cluster, auth, pki: readPki(pki, cluster), components }
  })
}

function readCluster(file: Section, top: Node | null, problem: Problem): string | undefined {
  if (!file.has('cluster')) return problem(top, 'has no cluster: the name of the cluster')
  const cluster = file.text('cluster')
  if (cluster !== undefined) checkName(file.at('cluster'), 'cluster', cluster, problem)
  return cluster
}

function readAuth(auth: Section, file: Section, top: Node | null, problem: Problem): Auth | undefined {
  const method = auth.choice('method', ['jwt', 'kubernetes', 'approle']) ?? 'jwt'
  const base = { mount: auth.mount() ?? method, tokenTtlSeconds: auth.seconds('tokenTtl') ?? 15 * 60 }
  if (method === 'approle') {
    file.noEffect(['kubernetes'], ' with the method approle')
    if (!auth.has('nodes')) auth.refuse('method', 'the method approle needs auth.nodes: the names of the machines')
    const { names, problems } = checkNodeNames(auth.texts('nodes') ?? [])
    for (const each of problems) auth.refuse('nodes', each)
    return { ...base, method, nodes: names }
  }
  auth.noEffect(['nodes'], ` with the method ${method}; it is for approle`)
  const node = file.at('kubernetes')
  if (node === undefined)
    return problem(top, 'has no kubernetes: the API server that service-account tokens are checked with')
  const fields = readMap(node, `kubernetes (with the method ${method})`, kubernetesNames[method], problem)
  if (fields === undefined) return undefined
  const kubernetes = sectionOf(fields, problem)
  const audience = kubernetes.text('audience') ?? 'vault-calico'
  const url = kubernetes.url('url')
  const ca = kubernetes.file('caFile')
  if (method === 'kubernetes') {
    if (!kubernetes.has('url')) problem(node, 'kubernetes has no url: the API server')
    const reviewerToken = kubernetes.file('reviewerTokenFile', 'token')
    // Vault demands it: with a reviewer of its own it does not look at the CA of the pod that it runs in.
    if (reviewerToken !== undefined && ca === undefined)
      problem(node, 'reviewerTokenFile needs caFile: the CA of the API server')
    return { ...base, method, audience, url: url ?? '', ca, reviewerToken }
  }
  const issuer = kubernetes.text('issuer') ?? ''
  if (!kubernetes.has('issuer'))
    problem(node, 'kubernetes has no issuer: kubectl get --raw /.well-known/openid-configuration')
  const jwksUrl = kubernetes.url('jwksUrl')
  const keys = readPinnedKeys(kubernetes, url ?? jwksUrl) ?? { url: jwksUrl ?? `${url ?? ''}/openid/v1/jwks`, ca }
  if (!['url', 'jwksUrl', 'publicKeyFiles'].some((name) => kubernetes.has(name))) {
    problem(
      node,
      'kubernetes needs url (the API server), jwksUrl or publicKeyFiles: the keys of service-account tokens',
    )
  }
  return { ...base, method, audience, issuer, keys }
}

const kubernetesNames = {
  jwt: ['url', 'caFile', 'issuer', 'audience', 'jwksUrl', 'publicKeyFiles'],
  kubernetes: ['url', 'caFile', 'audience', 'reviewerTokenFile'],
} as const

/** @param url where they could be asked for as well */
function readPinnedKeys(kubernetes: Section, url: string | undefined): JwtAuth['keys'] | undefined {
  if (!kubernetes.has('publicKeyFiles')) return undefined
  const refuse = (why: string): undefined => kubernetes.refuse('publicKeyFiles', `publicKeyFiles ${why}`)
  if (url !== undefined) refuse('excludes url and jwksUrl: keys are pinned or asked for')
  const names = kubernetes.texts('publicKeyFiles') ?? []
  if (names.length === 0) refuse('names no file')
  return { files: names.map((name) => new FileRef(name, 'key')) }
}

function readPki(pki: Section, cluster: string): Pki {
  const from = pki.choice('ca', ['root', 'intermediate', 'existing']) ?? 'root'
  if (from === 'existing') pki.noEffect(['commonName', 'caTtl'], ' with ca: existing')
  if (from !== 'intermediate') pki.noEffect(['certificateFile'], ` with ca: ${from}`)
  return {
    mount: pki.mount() ?? 'pki',
    keyType: pki.choice('keyType', keyTypes) ?? 'ec-p256',
    ca:
      from === 'existing'
        ? { from }
        : {
            from,
            commonName: pki.text('commonName') ?? `Calico etcd clients of ${cluster}`,
            ttlSeconds: pki.seconds('caTtl') ?? 10 * 365 * 24 * 3600,
            certificate: pki.file('certificateFile'),
          },
  }
}

/** What a component has that says nothing else. */
interface Defaults {
  readonly naming: Naming
  readonly ttlSeconds: number
}

/** The CNI plugin has no agent of its own: calico-node's keeps its certificate on the host. */
const servedBy: ReadonlyMap<string, string> = new Map([['calico-cni', 'calico-node']])

/** calico-node may create tokens for it (the RBAC of Calico's manifest), bound to whatever it likes. */
const refusedServiceAccount = 'calico-cni-plugin'

function readComponents(node: Node | undefined, defaults: Defaults, problem: Problem): ComponentSetup[] {
  const names = ['scope', 'login', 'namespace', 'serviceAccount', 'pods', 'ttl']
  if (node === undefined)
    return defaultComponents.map((name) => component(name, sectionOf(undefined, problem), defaults))
  const entries = readEntries(node, 'components', problem)
  if (entries?.size === 0) problem(node, 'components names none')
  const components = [...(entries ?? [])].map(([name, { key, value }]) => {
    checkName(key, 'the name of a component', name, problem)
    // `calico-node:` with nothing behind it is one with the defaults.
    const isBare = isScalar(value) && value.value === null
    const fields = isBare ? undefined : readMap(value, `component ${name}`, names, problem)
    return component(name, sectionOf(fields, problem), defaults)
  })
  refuseBadLogins(components, (name) => entries?.get(name)?.key, problem)
  return components
}

function component(name: string, section: Section, { naming, ttlSeconds }: Defaults): ComponentSetup {
  const profile: Profile | undefined = Object.entries(builtInProfiles).find(([each]) => each === name)?.[1]
  const scope = section.choice('scope', ['node', 'cluster']) ?? profile?.scope
  const login = section.text('login') ?? servedBy.get(name) ?? name
  const serviceAccount = section.text('serviceAccount') ?? name
  if (login !== name) {
    section.noEffect(['namespace', 'serviceAccount', 'pods'], `: the login of ${login} serves ${name}`)
  }
  if (serviceAccount === refusedServiceAccount) {
    section.refuse('serviceAccount', `${refusedServiceAccount} is refused: calico-node may create tokens for it`)
  }
  return {
    name,
    perNode: naming === 'node' && scope === 'node',
    login,
    namespace: section.text('namespace') ?? 'kube-system',
    serviceAccount,
    pods: section.text('pods') ?? `${serviceAccount}-*`,
    ttlSeconds: section.seconds('ttl') ?? ttlSeconds,
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

/** The role id is the alias: a machine that is called like a component could have its name. */
function refuseSharedRoleIds(nodes: readonly string[], components: readonly ComponentSetup[], auth: Section): void {
  for (const { name } of components.filter(({ perNode }) => !perNode)) {
    if (nodes.some((node) => node.toLowerCase() === name))
      auth.refuse('nodes', `the machine ${name} is called like a component`)
  }
}
