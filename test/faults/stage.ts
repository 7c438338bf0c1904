/** Owns setting up what a row needs: its Vault behind a proxy, etcd, and a node with a running agent that has published. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { firstFor } from '../../agent/vault/addresses.ts'
import { createTestNode, type Lab, startLab } from '../integration/agent/lab.ts'
import { spawnAgent } from '../support/agent-process.ts'
import { etcdAuth } from '../support/etcd-auth.ts'
import { startFaultProxy } from '../support/fault-proxy.ts'
import { type RealEtcd, startRealEtcdCluster } from '../support/real-etcd.ts'
import { type RealVault, startRealVault } from '../support/real-vault.ts'
import { type RealVaultCluster, startRealVaultCluster, type VaultMember } from '../support/real-vault-cluster.ts'
import type { OnEnd } from '../support/temp-dir.ts'
import type { ClusterOptions, FaultRow, Stage } from './row.ts'

export interface FaultLab extends Lab {
  readonly vault: RealVault
}

export async function startFaultLab(cluster?: RealVaultCluster): Promise<FaultLab> {
  const vault = cluster === undefined ? await startRealVault() : { ...cluster.vault, pid: (await cluster.leader()).pid }
  // Service tokens: Vault can forget them one by one.
  return { ...(await startLab(vault, { tokenType: 'service' })), vault, isReal: true }
}

/** So that a fault of Vault's network is found out within the promised ten seconds; the default is made for slow Vaults. */
const vaultTimeout = '3s'

/** Resolves when the agent has published its first certificate. */
export async function createStage(row: FaultRow, shared: FaultLab, node: string, onEnd: OnEnd): Promise<Stage> {
  const cluster = row.cluster && (await startRealVaultCluster({ ...row.cluster, onEnd }))
  const lab = cluster === undefined && row.hasOwnVault !== true ? shared : await startFaultLab(cluster)
  if (lab !== shared) onEnd(() => lab.stop())
  const vaults = row.cluster && cluster ? await clusterAddresses(row.cluster, cluster, node) : [lab.vault]
  const proxies = await Promise.all(vaults.map(({ address }) => startFaultProxy({ address, caPem: lab.vault.caPem })))
  onEnd(async () => void (await Promise.all(proxies.map((each) => each.stop()))))
  const origins = proxies.map(({ address }) => address)
  const proxy = proxies.find(({ address }) => address === firstFor(origins, '', node))
  if (proxy === undefined) throw new Error('no address')
  const etcd = await startEtcd(row.etcdMembers ?? 0, lab, node)
  onEnd(async () => void (await Promise.all(etcd.map((member) => member.stop()))))
  const place = createTestNode(lab, { node, at: proxy, onEnd })
  const directory = row.directory?.(onEnd) ?? place.directory
  const scratch = join(place.root, 'scratch')
  mkdirSync(scratch)
  const { tokenFile } = place
  // A standby redirects to the leader itself.
  const caFile = join(place.root, 'vault-cas.pem')
  writeFileSync(caFile, lab.vault.caPem + proxies.map(({ ca }) => ca.certificatePem).join(''))
  const stage = { lab, vault: lab.vault, proxy, proxies, cluster, node, directory, tokenFile, scratch, etcd, onEnd }
  const environment = {
    ...place.environment,
    AGENT_DIR: directory,
    ...(cluster === undefined ? {} : { VAULT_ADDR: origins.join(), VAULT_CACERT: caFile }),
    VAULT_CLIENT_TIMEOUT: vaultTimeout,
    AGENT_LOG_LEVEL: 'debug',
    ...etcdEnvironment(etcd),
    ...(await row.env?.(stage)),
  }
  const wrapper = row.wrapper?.(stage) ?? []
  const startAgain = (changes = {}) =>
    spawnAgent({ ...environment, ...changes }, { wrapper, onEnd, patienceMs: 15_000 })
  const agent = startAgain()
  await agent.nextLine(({ event }) => event === 'published')
  return { ...stage, agent, startAgain }
}

/** Turned until this node's place among them is the wanted member's. */
async function clusterAddresses(
  { first, isOnly = false }: ClusterOptions,
  cluster: RealVaultCluster,
  node: string,
): Promise<readonly VaultMember[]> {
  const wanted = first === 'leader' ? await cluster.leader() : (await cluster.standbys())[0]
  if (wanted === undefined) throw new Error('no standby')
  let turned = isOnly ? [wanted] : [...cluster.members]
  const places = turned.map((_, place) => String(place))
  while (turned[Number(firstFor(places, '', node))] !== wanted) turned = [...turned.slice(1), ...turned.slice(0, 1)]
  return turned
}

async function startEtcd(members: number, { setup }: Lab, node: string): Promise<RealEtcd[]> {
  if (members === 0) return []
  const etcd = await startRealEtcdCluster(members, { clientCaPem: `${setup.rootPem}\n` })
  const [first] = etcd
  if (first === undefined) throw new Error('no member')
  const auth = etcdAuth(await first.client('root'))
  await auth.addRole('calico-node')
  await auth.grantPrefix('calico-node', 'readwrite', '/calico/')
  await auth.addUser(`calico-node:${node}`)
  await auth.grantRole(`calico-node:${node}`, 'calico-node')
  await auth.enable()
  return etcd
}

function etcdEnvironment(etcd: readonly RealEtcd[]): Record<string, string> {
  const [first] = etcd
  if (first === undefined) return {}
  return {
    AGENT_ETCD_PROBE: 'require',
    AGENT_ETCD_CA_FILE: first.caFile,
    ETCD_ENDPOINTS: etcd.map(({ endpoint }) => endpoint).join(','),
  }
}
