/** Vault is away while pods are replaced, one by one and by a rollout. */
import { describe, expect, it } from 'vitest'
import { agentName, failedReads, parentOf, pidOf } from '../agents.ts'
import type { Cluster } from '../cluster.ts'
import { apply, type Deployment, rolledOut } from '../deploy.ts'
import type { KubeObject } from '../kubectl.ts'
import { containerOf, isReady, linesOf, podOf, readyPod } from '../pods.ts'
import { until } from '../wait.ts'
import { expectCertificates } from './restart.ts'

/** @param next what is rolled out while Vault is away */
export function describeOutage(cluster: () => Cluster, next: Deployment): void {
  describe('while Vault is away', () => {
    it('a pod that is replaced starts no consumer, although the old agent still answers at the port', async () => {
      const [node] = cluster().nodes
      if (node === undefined) throw new Error('there is no node')
      const old = await readyPod(cluster(), 'calico-node', node.name)
      await cluster().vault.seal()
      // The kubelet ends containers through their shim. While that stands still, the agent of the old pod runs on.
      const shim = parentOf(node, pidOf(node, old))
      await node.run('kill', '-STOP', String(shim))
      await cluster().kubectl.run('delete', 'pod', old.metadata.name, '--wait=false')
      const replaced = await until('the new pod, whose agent finds Vault sealed and the port taken', async () => {
        const pod = await podOf(cluster(), 'calico-node', node.name)
        if (pod.metadata.uid === old.metadata.uid) return undefined
        const lines = await linesOf(cluster(), pod.metadata.name, agentName)
        // It tells so every five seconds: at the second time, a probe every second has been answered by somebody.
        const isTaken = lines.filter(({ event }) => event === 'listen-failed').length > 1
        return isTaken && lines.some(({ reason }) => reason === 'vault-sealed') ? pod : undefined
      })
      expect(await fetch(`http://${node.address}:9879/startupz`)).toMatchObject({ status: 200 })
      expectNoConsumer(await podOf(cluster(), 'calico-node', node.name))

      await node.run('kill', '-CONT', String(shim))
      await until('its own answer at the port', async () => {
        return (await fetch(`http://${node.address}:9879/startupz`)).status === 503
      })
      expectNoConsumer(await podOf(cluster(), 'calico-node', node.name))
      await cluster().vault.unseal()
      expect((await readyPod(cluster(), 'calico-node', node.name)).metadata.uid).toBe(replaced.metadata.uid)
      expectCertificates(node)
      expect(failedReads(cluster())).toEqual([])
    })

    it('a rollout stops at the first node, and goes on after', async () => {
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
      expect(failedReads(cluster())).toEqual([])
    })
  })
}

/** Neither install-cni nor what comes after it has been started. */
function expectNoConsumer(pod: KubeObject): void {
  expect(containerOf(pod, agentName).started).toBe(false)
  expect(containerOf(pod, 'install-cni').state).toEqual({ waiting: expect.anything() as object })
}
