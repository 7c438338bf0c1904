/** Vault is away while pods are replaced, one by one and by a rollout. */
import { describe, expect, it } from 'vitest'
import { agentName, failedReads } from '../agents.ts'
import type { Cluster } from '../cluster.ts'
import { apply, type Deployment, rolledOut } from '../deploy.ts'
import { containerOf, isReady, linesOf, podOf, readyPod } from '../pods.ts'
import { until } from '../wait.ts'
import { expectCertificates } from './restart.ts'

const replacements = 4

/** @param next what is rolled out while Vault is away */
export function describeOutage(cluster: () => Cluster, next: Deployment): void {
  describe('while Vault is away', () => {
    it(`a pod that is replaced ${replacements} times starts no consumer, although the old agent still answers at the port`, async () => {
      const [node] = cluster().nodes
      if (node === undefined) throw new Error('there is no node')
      let pod = await readyPod(cluster(), 'calico-node', node.name)
      await cluster().vault.seal()
      for (let count = 1; count <= replacements; count++) {
        await cluster().kubectl.run('delete', 'pod', pod.metadata.name)
        const previous = pod.metadata.uid
        pod = await until('the new pod, whose agent has heard from Vault', async () => {
          const now = await podOf(cluster(), 'calico-node', node.name)
          if (now.metadata.uid === previous) return undefined
          const lines = await linesOf(cluster(), now.metadata.name, agentName)
          return lines.some(({ reason }) => reason === 'vault-sealed') ? now : undefined
        })
        // Its port is its own by now: a probe that asked the old one has had its chance.
        await until('its own answer at the port', async () => {
          const lines = await linesOf(cluster(), pod.metadata.name, agentName)
          return lines.some(({ event }) => event === 'listening')
        })
        pod = await podOf(cluster(), 'calico-node', node.name)
        expect(containerOf(pod, agentName).started).toBe(false)
        expect(containerOf(pod, 'install-cni').state.running ?? containerOf(pod, 'install-cni').state.terminated).toBe(
          undefined,
        )
      }
      await cluster().vault.unseal()
      await readyPod(cluster(), 'calico-node', node.name)
      expectCertificates(node)
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
