/**
 * Owns a cluster: etcd for Calico, Vault, a control plane, and nodes on a bridge. Everything is the real program; all of it lives in
 * this process' namespaces and ends with them (main.ts).
 */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { requireServer } from '../servers/locate.ts'
import { type ChildServer, spawnServer } from '../support/child-server.ts'
import { runCommand } from '../support/command.ts'
import { type RealEtcd, startRealEtcd } from '../support/real-etcd.ts'
import { type KubeApiserver, startKubeApiserver } from '../support/real-kube-apiserver.ts'
import { type RealVault, startRealVault } from '../support/real-vault.ts'
import { type VaultApi, vaultApi } from '../support/vault-api.ts'
import { createKubectl, type Kubectl, kubeconfigOf } from './kubectl.ts'
import { createNode, type Node } from './node.ts'
import { until } from './wait.ts'

const run = promisify(execFile)
const gateway = '10.77.0.1'
const project = join(import.meta.dirname, '../..')

export interface Cluster {
  readonly directory: string
  readonly vault: RealVault
  readonly vaultApi: VaultApi
  readonly etcd: RealEtcd
  readonly kubectl: Kubectl
  readonly nodes: readonly Node[]
  /** A command of the agent's program, as an administrator of Vault and etcd. Rejects unless it ends with 0. */
  operator(...args: string[]): Promise<string>
}

export interface ClusterOptions {
  /** Empty, gone when the run is over. */
  readonly directory: string
  readonly cgroup: string
  readonly nodes: readonly string[]
  readonly images: readonly string[]
  readonly say: (line: string) => void
}

export async function startCluster({ directory, cgroup, nodes: names, images, say }: ClusterOptions): Promise<Cluster> {
  say('network')
  // With an address of its own: a bridge takes one of its ports', and nobody finds it for half a minute when that node is switched off.
  await run('sh', [
    '-c',
    `ip link set lo up; ip link add e2e0 address 02:00:0a:4d:00:01 type bridge; ip address add ${gateway}/24 dev e2e0; ip link set e2e0 up`,
  ])

  say('kube-apiserver, controller-manager, scheduler; Vault')
  const tokens = new Map(
    ['admin', 'kube-controller-manager', 'kube-scheduler', ...names].map((name) => [
      name,
      randomBytes(16).toString('hex'),
    ]),
  )
  const [kube, vault] = await Promise.all([startControlPlane(tokens, names), startRealVault(gateway)])
  const kubeconfig = (name: string): string => kubeconfigOf(kube, tokens.get(name) ?? '')
  const { path: program } = requireServer('kubernetes')
  startControllers(program, kube, directory, kubeconfig)
  writeFileSync(join(directory, 'admin.kubeconfig'), kubeconfig('admin'), { mode: 0o600 })
  const kubectl = createKubectl(program, join(directory, 'admin.kubeconfig'))

  say('nodes')
  const nodes = names.map((name, index) =>
    createNode({
      name,
      address: `10.77.0.${index + 11}`,
      disk: makeDirectory(join(directory, name)),
      cgroup: `${cgroup}/${name}`,
      gateway,
      api: new URL(kube.url).host,
      kubeconfig: kubeconfig(name),
      clientCaFile: join(kube.directory, 'ca.pem'),
      program,
      images,
    }),
  )
  await Promise.all(nodes.map((node) => node.boot()))
  for (const name of names) await until(`${name} in the cluster`, () => kubectl.get(`node/${name}`), 120_000)

  say('setup-vault apply, etcd, provision apply')
  await kubectl.run('apply', '-f', join(project, 'manifests/access/issuer-discovery.yaml'))
  const api = vaultApi(vault)
  await api.root('PUT', 'sys/audit/file', { type: 'file', options: { file_path: join(directory, 'audit.log') } })
  const operator = { directory, vault }
  const setup = join(directory, 'setup-vault.yaml')
  writeFileSync(setup, setupOf(kube))
  await operate(operator, undefined, 'setup-vault', 'apply', '--yes', '--file', setup)
  const root = await api.call('GET', 'pki/ca/pem')
  const etcd = await startRealEtcd({ host: gateway, clientCaPem: root.text })
  await operate(operator, etcd, 'provision', 'apply', '--yes', '--enable-auth', '--nodes', names.join())
  return {
    directory,
    vault,
    vaultApi: api,
    etcd,
    kubectl,
    nodes,
    operator: (...args) => operate(operator, etcd, ...args),
  }
}

function startControlPlane(tokens: ReadonlyMap<string, string>, nodes: readonly string[]): Promise<KubeApiserver> {
  const groupOf = (name: string): string =>
    name === 'admin' ? 'system:masters' : nodes.includes(name) ? 'system:nodes' : ''
  const users = [...tokens].map(([name, token]) => ({
    token,
    name: nodes.includes(name) ? `system:node:${name}` : name === 'admin' ? 'operator' : `system:${name}`,
    group: groupOf(name),
  }))
  return startKubeApiserver({ host: gateway, users, flags: ['--enable-admission-plugins=NodeRestriction'] })
}

/** Their output is in files: nobody reads it unless something is wrong. */
function startControllers(
  program: string,
  kube: KubeApiserver,
  directory: string,
  kubeconfig: (name: string) => string,
): ChildServer[] {
  const file = (name: string): string => {
    const path = join(directory, `${name}.kubeconfig`)
    writeFileSync(path, kubeconfig(name), { mode: 0o600 })
    return path
  }
  const keys = [
    '--use-service-account-credentials',
    `--service-account-private-key-file=${join(kube.directory, 'sa-key.pem')}`,
    `--root-ca-file=${join(kube.directory, 'ca.pem')}`,
  ]
  const start = (name: string, flags: readonly string[]): ChildServer =>
    spawnServer({
      name,
      path: program,
      args: [name, `--kubeconfig=${file(name)}`, '--leader-elect=false', '--bind-address=127.0.0.1', ...flags],
    })
  return [start('kube-controller-manager', keys), start('kube-scheduler', [])]
}

function setupOf(kube: KubeApiserver): string {
  return `cluster: e2e
kubernetes:
  url: ${kube.url}
  caFile: ${join(kube.directory, 'ca.pem')}
  issuer: ${kube.issuer}
components: { calico-node: {}, calico-cni: {}, calico-kube-controllers: {}, calicoctl: {}, calico-provisioner: { scope: cluster } }
`
}

async function operate(
  { directory, vault }: Pick<Cluster, 'directory' | 'vault'>,
  etcd: RealEtcd | undefined,
  ...args: string[]
): Promise<string> {
  const env: Record<string, string> = {
    VAULT_ADDR: vault.address,
    VAULT_CACERT: vault.caFile,
    VAULT_TOKEN: vault.rootToken,
  }
  if (etcd !== undefined) {
    const root = await etcd.client('root')
    const [cert, key] = [join(directory, 'root.pem'), join(directory, 'root-key.pem')]
    writeFileSync(cert, root.cert)
    writeFileSync(key, root.key, { mode: 0o600 })
    Object.assign(env, {
      ETCD_ENDPOINTS: etcd.endpoint,
      ETCD_CA_CERT_FILE: etcd.caFile,
      ETCD_CERT_FILE: cert,
      ETCD_KEY_FILE: key,
    })
  }
  const { code, stdout, stderr } = await runCommand(args, { env })
  if (code !== 0) throw new Error(`calico-vault-agent ${args.join(' ')} ended with ${code}\n${stdout}\n${stderr}`)
  return stdout
}

function makeDirectory(path: string): string {
  mkdirSync(path)
  return path
}
