/** Owns the file of `setup-vault`: its YAML checked to the last field, every problem with its line and column. */
import type { Node } from 'yaml'
import { type Problem, parseYaml, readChoice, readMap, readText, readTexts, type YamlFile } from '../../config/yaml.ts'
import { checkNodeNames } from '../etcd/nodes.ts'
import type { Naming } from '../etcd/profile-table.ts'
import { readComponents } from './components-file.ts'
import { type Auth, type Ca, FileRef, type JwtAuth, type Pki, type Setup } from './setup.ts'
import { checkName, readFile, readMount, readTtl, readUrl } from './values.ts'

type Fields = ReadonlyMap<string, Node>

export function parseSetup(text: string): YamlFile<Setup> {
  return parseYaml(text, (top, problem) => {
    const known = ['cluster', 'kubernetes', 'auth', 'pki', 'naming', 'components']
    const fields = readMap(top, 'the file', known, problem)
    if (fields === undefined) return undefined
    const cluster = readCluster(fields.get('cluster'), top, problem)
    const authFields = readSection(fields, 'auth', ['method', 'mount', 'tokenTtl', 'nodes'], problem)
    const pkiFields = readSection(fields, 'pki', pkiNames, problem)
    const naming = readChoice<Naming>(fields.get('naming'), 'naming', ['node', 'component'], problem) ?? 'node'
    const ttlSeconds = readTtl(pkiFields.get('ttl'), 'ttl', problem) ?? 24 * 3600
    const components = readComponents(fields.get('components'), { naming, ttlSeconds }, problem)
    const auth = readAuth(authFields, fields, top, problem)
    if (auth?.method === 'approle') refuseSharedRoleIds(auth.nodes, components, authFields.get('nodes'), problem)
    if (auth === undefined || cluster === undefined) return undefined
    return { cluster, auth, pki: readPki(pkiFields, cluster, problem), components }
  })
}

function readCluster(node: Node | undefined, top: Node | null, problem: Problem): string | undefined {
  if (node === undefined) return problem(top, 'has no cluster: the name of the cluster')
  const cluster = readText(node, 'cluster', problem)
  if (cluster !== undefined) checkName(node, 'cluster', cluster, problem)
  return cluster
}

function readAuth(auth: Fields, fields: Fields, top: Node | null, problem: Problem): Auth | undefined {
  const methods = ['jwt', 'kubernetes', 'approle'] as const
  const method = readChoice(auth.get('method'), 'method', methods, problem) ?? 'jwt'
  const base = {
    mount: readMount(auth.get('mount'), problem) ?? method,
    tokenTtlSeconds: readTtl(auth.get('tokenTtl'), 'tokenTtl', problem) ?? 15 * 60,
  }
  const kubernetes = fields.get('kubernetes')
  if (method === 'approle') {
    if (kubernetes !== undefined) problem(kubernetes, 'kubernetes has no effect with the method approle')
    const nodes = auth.get('nodes')
    if (nodes === undefined)
      problem(auth.get('method'), 'the method approle needs auth.nodes: the names of the machines')
    const names = checkNodeNames(readTexts(nodes, 'nodes', problem) ?? [])
    for (const each of names.problems) problem(nodes, each)
    return { ...base, method, nodes: names.names }
  }
  if (auth.has('nodes')) problem(auth.get('nodes'), `nodes has no effect with the method ${method}; it is for approle`)
  if (kubernetes === undefined)
    return problem(top, 'has no kubernetes: the API server that service-account tokens are checked with')
  return readKubernetes(kubernetes, { ...base, method }, problem)
}

const kubernetesNames = {
  jwt: ['url', 'caFile', 'issuer', 'audience', 'jwksUrl', 'publicKeyFiles'],
  kubernetes: ['url', 'caFile', 'audience', 'reviewerTokenFile'],
} as const

function readKubernetes(
  node: Node,
  base: { readonly method: 'jwt' | 'kubernetes'; readonly mount: string; readonly tokenTtlSeconds: number },
  problem: Problem,
): Auth | undefined {
  const { method } = base
  const fields = readMap(node, `kubernetes (with the method ${method})`, kubernetesNames[method], problem)
  if (fields === undefined) return undefined
  const audience = readText(fields.get('audience'), 'audience', problem) ?? 'vault-calico'
  const url = readUrl(fields.get('url'), 'url', problem)
  const ca = readFile(fields.get('caFile'), 'caFile', problem)
  if (method === 'kubernetes') {
    if (url === undefined && !fields.has('url')) problem(node, 'kubernetes has no url: the API server')
    const reviewerToken = readFile(fields.get('reviewerTokenFile'), 'reviewerTokenFile', problem, true)
    // Vault demands it: with a reviewer of its own it does not look at the CA of the pod that it runs in.
    if (reviewerToken !== undefined && ca === undefined)
      problem(node, 'reviewerTokenFile needs caFile: the CA of the API server')
    return { ...base, method, audience, url: url ?? '', ca, reviewerToken }
  }
  const issuer = readText(fields.get('issuer'), 'issuer', problem)
  if (!fields.has('issuer'))
    problem(node, 'kubernetes has no issuer: kubectl get --raw /.well-known/openid-configuration')
  return { ...base, method, audience, issuer: issuer ?? '', keys: readKeys(node, fields, { url, ca }, problem) }
}

function readKeys(
  node: Node,
  fields: Fields,
  { url, ca }: { readonly url: string | undefined; readonly ca: FileRef | undefined },
  problem: Problem,
): JwtAuth['keys'] {
  const jwksUrl = readUrl(fields.get('jwksUrl'), 'jwksUrl', problem)
  const files = fields.get('publicKeyFiles')
  if (files !== undefined) {
    if (jwksUrl !== undefined || url !== undefined)
      problem(files, 'publicKeyFiles excludes url and jwksUrl: keys are pinned or asked for')
    const names = readTexts(files, 'publicKeyFiles', problem) ?? []
    if (names.length === 0) problem(files, 'publicKeyFiles names no file')
    return { files: names.map((name) => new FileRef(name)) }
  }
  if (!fields.has('url') && !fields.has('jwksUrl')) {
    problem(
      node,
      'kubernetes needs url (the API server), jwksUrl or publicKeyFiles: the keys of service-account tokens',
    )
  }
  return { url: jwksUrl ?? `${url ?? ''}/openid/v1/jwks`, ca }
}

const pkiNames = ['mount', 'ca', 'commonName', 'caTtl', 'certificateFile', 'keyType', 'ttl'] as const

function readPki(fields: Fields, cluster: string, problem: Problem): Pki {
  const from = readChoice(fields.get('ca'), 'ca', ['root', 'intermediate', 'existing'], problem) ?? 'root'
  for (const name of ['commonName', 'caTtl', 'certificateFile'] as const) {
    const isOf = name === 'certificateFile' ? from === 'intermediate' : from !== 'existing'
    if (fields.has(name) && !isOf) problem(fields.get(name), `${name} has no effect with ca: ${from}`)
  }
  const ca: Ca =
    from === 'existing'
      ? { from }
      : {
          from,
          commonName: readText(fields.get('commonName'), 'commonName', problem) ?? `Calico etcd clients of ${cluster}`,
          ttlSeconds: readTtl(fields.get('caTtl'), 'caTtl', problem) ?? 10 * 365 * 24 * 3600,
          certificate: readFile(fields.get('certificateFile'), 'certificateFile', problem),
        }
  const keyTypes = ['ec-p256', 'ec-p384', 'rsa-2048', 'rsa-4096', 'ed25519'] as const
  return {
    mount: readMount(fields.get('mount'), problem) ?? 'pki',
    keyType: readChoice(fields.get('keyType'), 'keyType', keyTypes, problem) ?? 'ec-p256',
    ca,
  }
}

/** The role id is the alias: a machine that is called like a component could have its name. */
function refuseSharedRoleIds(
  nodes: readonly string[],
  components: Setup['components'],
  at: Node | undefined,
  problem: Problem,
): void {
  for (const { name } of components.filter(({ perNode }) => !perNode)) {
    if (nodes.some((node) => node.toLowerCase() === name)) problem(at, `the machine ${name} is called like a component`)
  }
}

function readSection(fields: Fields, name: string, known: readonly string[], problem: Problem): Fields {
  const node = fields.get(name)
  return (node === undefined ? undefined : readMap(node, name, known, problem)) ?? new Map<string, Node>()
}
