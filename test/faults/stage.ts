/** Owns setting up what a row needs: its Vault behind a proxy, etcd, and a node with a running agent that has published. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { createTestNode, type Lab, startLab } from '../integration/agent/lab.ts'
import { spawnAgent } from '../support/agent-process.ts'
import { etcdAuth } from '../support/etcd-auth.ts'
import { startFaultProxy } from '../support/fault-proxy.ts'
import { type RealEtcd, startRealEtcdCluster } from '../support/real-etcd.ts'
import { type RealVault, startRealVault } from '../support/real-vault.ts'
import type { OnEnd } from '../support/temp-dir.ts'
import type { FaultRow, Stage } from './row.ts'

export interface FaultLab extends Lab {
  readonly vault: RealVault
}

export async function startFaultLab(): Promise<FaultLab> {
  const vault = await startRealVault()
  // Service tokens: Vault can forget them one by one.
  return { ...(await startLab(vault, { tokenType: 'service' })), vault, isReal: true }
}

/** So that a fault of Vault's network is found out within the promised ten seconds; the default is made for slow Vaults. */
const vaultTimeout = '3s'

/** Resolves when the agent has published its first certificate. */
export async function createStage(row: FaultRow, shared: FaultLab, node: string, onEnd: OnEnd): Promise<Stage> {
  const lab = row.hasOwnVault === true ? await startFaultLab() : shared
  if (lab !== shared) onEnd(() => lab.stop())
  const proxy = await startFaultProxy(lab.vault)
  onEnd(() => proxy.stop())
  const etcd = await startEtcd(row.etcdMembers ?? 0, lab, node)
  onEnd(async () => void (await Promise.all(etcd.map((member) => member.stop()))))
  const place = createTestNode(lab, { node, at: proxy, onEnd })
  const directory = row.directory?.(onEnd) ?? place.directory
  const scratch = join(place.root, 'scratch')
  mkdirSync(scratch)
  const { tokenFile } = place
  const stage = { lab, vault: lab.vault, proxy, node, directory, tokenFile, scratch, etcd, onEnd }
  const environment = {
    ...place.environment,
    AGENT_DIR: directory,
    VAULT_CLIENT_TIMEOUT: vaultTimeout,
    AGENT_LOG_LEVEL: 'debug',
    ...etcdEnvironment(etcd),
    ...row.env?.(stage),
  }
  const wrapper = row.wrapper?.(stage) ?? []
  const startAgain = (changes = {}) =>
    spawnAgent({ ...environment, ...changes }, { bundle: true, wrapper, onEnd, patienceMs: 15_000 })
  const agent = startAgain()
  await agent.nextLine(({ event }) => event === 'published')
  return { ...stage, agent, startAgain }
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
