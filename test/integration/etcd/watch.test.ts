/** `provision watch` against a real kube-apiserver and a real etcd: nodes come and go, connections break, drift is repaired. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { locateServer } from '../../servers/locate.ts'
import { type AgentProcess, spawnAgent } from '../../support/agent-process.ts'
import { createCa } from '../../support/certificates.ts'
import { etcdAuth } from '../../support/etcd-auth.ts'
import { createNode, deleteNode } from '../../support/kube-objects.ts'
import type { RealEtcd } from '../../support/real-etcd.ts'
import { type KubeApiserver, startKubeApiserver } from '../../support/real-kube-apiserver.ts'
import { startTcpFront } from '../../support/tcp-front.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { etcdVersions, type Operator, operatorFiles, startMembers } from './rig.ts'
import { denied, kubeEnvironment, putOwn, writeServiceAccount } from './watch-rig.ts'

const [version] = etcdVersions
const program = locateServer('kube-apiserver')
const missing = version?.missing ?? ('missing' in program ? program.missing : undefined)

describe.skipIf(missing !== undefined)(
  `provision watch${missing === undefined ? '' : ` (left out: ${missing})`}`,
  () => {
    let etcd: RealEtcd
    let kube: KubeApiserver
    let operator: Operator

    beforeAll(async () => {
      if (version === undefined) throw new Error('no etcd')
      ;[[etcd], kube] = (await Promise.all([startMembers(version), startKubeApiserver()])) as [
        [RealEtcd],
        KubeApiserver,
      ]
      operator = operatorFiles(await etcd.client('admin'))
      const { code, stderr } = await operator.provision([
        'apply',
        '--enable-auth',
        '--yes',
        '--components',
        'calicoctl',
      ])
      if (code !== 0) throw new Error(stderr)
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
    const done = ({ event }: { event: string }) => event === 'provision-done'

    it('makes the users of a node when it appears, and removes them after the grace period', async () => {
      const watcher = await start(['--grace', '2s'])
      await watcher.nextLine(done)
      expect(await putOwn(etcd, 'stays1')).toBe('ok')
      expect(await putOwn(etcd, 'comes')).toBe(denied)

      await createNode(kube, 'comes')
      await watcher.nextLine(({ change, subject }) => change === 'assign-role' && subject === 'user calico-node:comes')
      // How soon: npm run bench:etcd.
      await watcher.nextLine(done)
      expect(await putOwn(etcd, 'comes')).toBe('ok')

      await deleteNode(kube, 'comes')
      await watcher.nextLine(({ event }) => event === 'provision-node-departed')
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

    it('goes on after the connection to the API server was cut, and tells while there is none', async () => {
      const front = await startTcpFront(kube.url)
      onTestFinished(() => front.stop())
      const watcher = await start(['--grace', '2s'], front.url)
      await watcher.nextLine(done)
      front.refuse(true)
      await watcher.nextLine(({ event }) => event === 'provision-source-failed')
      expect((await watcher.ask('/readyz')).status).toBe(503)
      expect((await watcher.ask('/livez')).status).toBe(200)
      await createNode(kube, 'meanwhile')
      front.refuse(false)
      await watcher.nextLine(({ event }) => event === 'provision-source-reached')
      await watcher.nextLine(done)
      await expect.poll(() => putOwn(etcd, 'meanwhile'), { timeout: 5000 }).toBe('ok')
      expect((await watcher.ask('/readyz')).status).toBe(200)
      const { text } = await watcher.ask('/metrics')
      expect(text).toMatch(/provision_failures_total\{reason="kube-unreachable"\} [1-9]/)
      await deleteNode(kube, 'meanwhile')
      await watcher.nextLine(({ event }) => event === 'provision-node-removed')
    })

    it('lists the nodes again when the API server has forgotten what came before', async () => {
      const front = await startTcpFront(kube.url)
      onTestFinished(() => front.stop())
      const watcher = await start(['--grace', '2s'], front.url)
      await watcher.nextLine(done)
      front.refuse(true)
      await watcher.nextLine(({ reason }) => reason === 'kube-unreachable')
      await createNode(kube, 'meanwhile')
      await kube.restart()
      front.refuse(false)
      await watcher.nextLine(({ event, reason }) => event === 'provision-source-failed' && reason === 'kube-expired')
      await watcher.nextLine(({ subject }) => subject === 'user calico-node:meanwhile')
      await watcher.nextLine(done)
      expect(await putOwn(etcd, 'meanwhile')).toBe('ok')
      await deleteNode(kube, 'meanwhile')
      await watcher.nextLine(({ event, node }) => event === 'provision-node-removed' && node === 'meanwhile')
    }, 90_000)

    it('two at once do no harm, and a node that comes back keeps its users', async () => {
      const both = await Promise.all([start(['--grace', '4s']), start(['--grace', '4s'])])
      await Promise.all(both.map((each) => each.nextLine(done)))
      await createNode(kube, 'twice')
      await expect.poll(() => putOwn(etcd, 'twice'), { timeout: 5000 }).toBe('ok')
      await deleteNode(kube, 'twice')
      // The one that is first writes it down, and may be the only one that tells.
      await Promise.any(both.map((each) => each.nextLine(({ event }) => event === 'provision-node-departed')))
      await createNode(kube, 'twice')
      await expect
        .poll(() => both.some(({ lines }) => lines.some(({ event }) => event === 'provision-node-back')), {
          timeout: 5000,
        })
        .toBe(true)
      expect(await putOwn(etcd, 'twice')).toBe('ok')
      await deleteNode(kube, 'twice')
      await expect.poll(() => putOwn(etcd, 'twice'), { timeout: 15_000 }).toBe(denied)
      for (const { lines } of both) expect(lines.filter(({ level }) => level === 'error')).toEqual([])
      expect(await putOwn(etcd, 'stays1')).toBe('ok')
    })

    it('remembers through a restart since when a node is gone', async () => {
      const first = await start(['--grace', '8s'])
      await first.nextLine(done)
      await createNode(kube, 'slow')
      await first.nextLine(({ subject }) => subject === 'user calico-node:slow')
      await first.nextLine(done)
      await deleteNode(kube, 'slow')
      await first.nextLine(({ event, node }) => event === 'provision-node-departed' && node === 'slow')
      first.signal('SIGKILL')
      await first.ended
      const second = await start(['--grace', '8s'])
      await second.nextLine(({ event, node }) => event === 'provision-node-removed' && node === 'slow')
      expect(second.lines.some(({ event }) => event === 'provision-node-departed')).toBe(false)
      expect(await putOwn(etcd, 'slow')).toBe(denied)
    })

    it('repairs drift', async () => {
      const watcher = await start(['--resync', '1s'])
      await watcher.nextLine(done)
      const auth = etcdAuth(await etcd.client('admin'))
      await auth.deleteUser('calico-node:stays2')
      await auth.grantPrefix('calico-vault-agent/calico-node:stays1', 'readwrite', '/registry/')
      await watcher.nextLine(({ change }) => change === 'revoke')
      await watcher.nextLine(done)
      expect(await putOwn(etcd, 'stays2')).toBe('ok')
    })

    it('takes a new certificate without a gap, and none that etcd does not accept', async () => {
      const watcher = await start()
      await watcher.nextLine(done)
      const files = [operator.env['ETCD_CERT_FILE'] ?? '', operator.env['ETCD_KEY_FILE'] ?? ''] as const
      const replace = ({ cert, key }: { cert: string; key: string }): void => {
        writeFileSync(files[0], cert)
        writeFileSync(files[1], key)
      }
      const foreign = await (await createCa({ commonName: 'foreign' })).issue({ commonName: 'admin', client: true })
      const good = await etcd.client('admin')
      replace({ cert: foreign.certificatePem, key: foreign.privateKeyPem })
      await watcher.nextLine(({ event, reason }) => event === 'provision-identity-refused' && reason !== 'file-invalid')
      await createNode(kube, 'still')
      await expect.poll(() => putOwn(etcd, 'still'), { timeout: 15_000 }).toBe('ok')
      replace(good)
      await watcher.nextLine(({ event, msg }) => event === 'provision-identity' && msg.includes('again'))
      expect(watcher.lines.filter(({ event }) => event === 'provision-failed')).toEqual([])
    })

    it('takes the nodes from a file, and removes nobody while that is wrong', async () => {
      const file = join(tempDir(), 'nodes')
      writeFileSync(file, 'stays1\nstays2\nstays3\nstill\nlisted\n')
      const env = { ...operator.env, AGENT_LOG_LEVEL: 'debug' }
      const args = ['provision', 'watch', '--nodes-file', file, '--grace', '1s', '--components', 'calico-node']
      const watcher = spawnAgent(env, { args })
      await watcher.nextLine(done)
      expect(await putOwn(etcd, 'listed')).toBe('ok')
      writeFileSync(file, '')
      await watcher.nextLine(({ event, reason }) => event === 'provision-held' && reason === 'list-empty')
      writeFileSync(file, 'stays1\nSTAYS1\n')
      await watcher.nextLine(({ event, reason }) => event === 'provision-source-failed' && reason === 'nodes-invalid')
      expect(await putOwn(etcd, 'listed')).toBe('ok')
      writeFileSync(file, 'stays1\nstays2\nstays3\nstill\n')
      await watcher.nextLine(({ event, node }) => event === 'provision-node-removed' && node === 'listed')
      expect(await putOwn(etcd, 'listed')).toBe(denied)
    })
  },
)
