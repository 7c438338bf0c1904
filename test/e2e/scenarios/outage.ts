/** Vault is away while pods are replaced, one by one and by a rollout. */
import { describe, expect, it } from 'vitest'
import { agentName, watchReads } from '../agents.ts'
import type { Cluster } from '../cluster.ts'
import { apply, type Deployment, rolledOut } from '../deploy.ts'
import type { KubeObject } from '../kubectl.ts'
import type { Node } from '../node.ts'
import { containerOf, isReady, linesOf, podOf, readyPod } from '../pods.ts'
import { until } from '../wait.ts'
import { expectCertificates } from './restart.ts'

/** @param next what is rolled out while Vault is away */
export function describeOutage(cluster: () => Cluster, next: Deployment): void {
  describe('while Vault is away', () => {
    it('a pod that is replaced starts no consumer, although the old agent still answers at the port', async () => {
      const reads = watchReads(cluster())
      const [node] = cluster().nodes
      if (node === undefined) throw new Error('there is no node')
      const old = await readyPod(cluster(), 'calico-node', node.name)
      await cluster().vault.seal()
      const oldAgent = await answerInPlaceOf(node)
      await cluster().kubectl.run('delete', 'pod', old.metadata.name)
      await until('the new pod, whose agent has heard from Vault', async () => {
        const pod = await podOf(cluster(), 'calico-node', node.name)
        if (pod.metadata.uid === old.metadata.uid) return false
        const lines = await linesOf(cluster(), pod.metadata.name, agentName)
        return lines.some(({ reason }) => reason === 'vault-sealed')
      })
      // What has been started by the first of them has been told by the last.
      const enough = oldAgent.answers() + 8
      await until('probes that the old agent answers', async () => {
        const isStarted = containerOf(await podOf(cluster(), 'calico-node', node.name), agentName).started
        return isStarted === true || oldAgent.answers() > enough
      })
      expectNoConsumer(await podOf(cluster(), 'calico-node', node.name))
      await oldAgent.end()
      expectNoConsumer(await podOf(cluster(), 'calico-node', node.name))
      await cluster().vault.unseal()
      await readyPod(cluster(), 'calico-node', node.name)
      expectCertificates(node)
      expect(reads.failed()).toEqual([])
    })

    it('a rollout stops at the first node, and goes on after', async () => {
      const reads = watchReads(cluster())
      const pods = () =>
        Promise.all(cluster().nodes.map(({ name }) => podOf(cluster(), 'calico-node', name).catch(() => undefined)))
      const before = (await pods()).map((pod) => pod?.metadata.uid)
      const isOld = (uid: string | undefined): boolean => before.includes(uid)
      await cluster().vault.seal()
      await apply(cluster(), next)
      const [replaced] = await until('the first new pod, whose agent has heard from Vault', async () => {
        const found = (await pods()).filter((pod) => pod !== undefined && !isOld(pod.metadata.uid))
        const [pod] = found
        if (pod === undefined) return undefined
        const lines = await linesOf(cluster(), pod.metadata.name, agentName)
        return lines.some(({ reason }) => reason === 'vault-sealed') ? found : undefined
      })
      const now = await pods()
      expect(now.filter((pod) => pod !== undefined && isOld(pod.metadata.uid) && isReady(pod))).toHaveLength(
        cluster().nodes.length - 1,
      )
      expect(replaced === undefined ? true : isReady(replaced)).toBe(false)
      await cluster().vault.unseal()
      await rolledOut(cluster())
      const after = await pods()
      expect(after.filter((pod) => pod === undefined || isOld(pod.metadata.uid))).toEqual([])
      expect(reads.failed()).toEqual([])
    })
  })
}

/** Neither install-cni nor what comes after it has been started. */
function expectNoConsumer(pod: KubeObject): void {
  expect(containerOf(pod, agentName).started).toBe(false)
  expect(containerOf(pod, 'install-cni').state).toEqual({ waiting: expect.anything() as object })
}

/**
 * Answers at the agents' port of a node as the agent of a pod does that is on its way out, which the kernel may let live for
 * as long as it likes: everything has been published, by another container than the one that is asked about.
 */
async function answerInPlaceOf(node: Node): Promise<{ answers(): number; end(): Promise<void> }> {
  const port = 19_879
  const script = `require('node:http').createServer((request, response) => {
    console.log(request.url)
    response.setHeader('agent-container', 'mnt:[1]')
    response.end('ok')
  }).listen(${port}, () => console.log('listening'))
  process.stdin.on('end', () => process.exit()).resume()`
  const server = node.spawn(process.execPath, '--eval', script)
  let output = ''
  server.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString()
  })
  await until('an answer in the place of the agent', async () => output.startsWith('listening'))
  const rule = ['OUTPUT', '-p', 'tcp', '--dport', '9879', '-j', 'REDIRECT', '--to-ports', String(port)]
  await node.run('iptables', '-t', 'nat', '-A', ...rule)
  return {
    answers: () => output.split('/startupz').length - 1,
    async end() {
      await node.run('iptables', '-t', 'nat', '-D', ...rule)
      server.stdin.end()
    },
  }
}
