/** Certificates that are renewed all the time, under clients that never stop reading. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { agentName, certificateOf, cgroupOf, failedReads, hostCopyOf, tokenOf, workingSet } from '../agents.ts'
import type { Cluster } from '../cluster.ts'
import { containerOf, linesOf, readyPod } from '../pods.ts'
import { until } from '../wait.ts'

const mebibyte = 2 ** 20

export function describeRotation(cluster: () => Cluster, rotations: number): void {
  describe('rotation while running', () => {
    it('no read is lost on any node, on the connection that stays and on fresh ones', async () => {
      await Promise.all(
        cluster().nodes.map(async (node) => {
          const pod = await readyPod(cluster(), 'calico-node', node.name)
          const seen = new Set<string>()
          await until(
            `${rotations} rotations on ${node.name}`,
            async () => seen.add(certificateOf(node, pod, 'calico-node').serialNumber).size > rotations,
            170_000,
          )
          await until('the copy of the CNI plugin in step', async () => {
            return hostCopyOf(node).serialNumber === certificateOf(node, pod, 'calico-cni').serialNumber
          })
          const reads = (await linesOf(cluster(), pod.metadata.name, 'calico-node')).filter(
            ({ event }) => event === 'reads',
          )
          expect(reads.at(-1)).toMatchObject({ commonName: `calico-node:${node.name}` })
          expect(new Set(reads.map(({ serial }) => serial)).size).toBeGreaterThan(rotations / 2)
        }),
      )
      expect(failedReads(cluster())).toEqual([])
    })

    it('kube-controllers, which is not root, loses none either', async () => {
      const pod = await readyPod(cluster(), 'calico-kube-controllers')
      const lines = await linesOf(cluster(), pod.metadata.name, 'calico-kube-controllers')
      expect(lines.filter(({ event }) => event === 'failed')).toEqual([])
      expect(lines.at(-1)).toMatchObject({ event: 'reads', commonName: 'calico-kube-controllers' })
    })

    it('the kubelet writes another token: the agent logs in with that, and was not started again', async () => {
      const [node] = cluster().nodes
      if (node === undefined) throw new Error('there is no node')
      const pod = await readyPod(cluster(), 'calico-node', node.name)
      const [token, restarts] = [tokenOf(node, pod), containerOf(pod, agentName).restartCount]
      // A kubelet that has just started has no token, and asks for one of its own.
      await node.kill('kubelet')
      await until('another token', async () => tokenOf(node, pod).jti !== token.jti, 170_000)
      const { serialNumber } = certificateOf(node, pod, 'calico-node')
      await until(
        'the next rotation',
        async () => certificateOf(node, pod, 'calico-node').serialNumber !== serialNumber,
      )
      const after = await readyPod(cluster(), 'calico-node', node.name)
      expect(containerOf(after, agentName).restartCount).toBe(restarts)
      expect(failedReads(cluster())).toEqual([])
    })

    it("an agent's working set stays below its request", async () => {
      for (const node of cluster().nodes) {
        const pod = await readyPod(cluster(), 'calico-node', node.name)
        const used = workingSet(node, pod) / mebibyte
        const limit =
          Number(readFileSync(join(cgroupOf(node, pod, 'memory'), 'memory.limit_in_bytes'), 'utf8')) / mebibyte
        const lines = await linesOf(cluster(), pod.metadata.name, agentName)
        const published = lines.filter(({ event }) => event === 'published').length
        console.log(`       ${node.name}: ${used.toFixed(1)} MiB after ${published} publications; limit ${limit} MiB`)
        expect(used).toBeLessThan(80)
      }
    })
  })
}
