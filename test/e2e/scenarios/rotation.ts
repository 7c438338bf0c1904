/** Certificates that are renewed all the time, under clients that never stop reading. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { agentName, certificateOf, cgroupOf, hostCopyOf, pidOf, tokenOf, watchReads, workingSet } from '../agents.ts'
import type { Cluster } from '../cluster.ts'
import type { KubeObject } from '../kubectl.ts'
import type { Node } from '../node.ts'
import { containerOf, linesOf, readyPod } from '../pods.ts'
import { until } from '../wait.ts'

const mebibyte = 2 ** 20
/** Of the schedule's own. */
const scheduled = 4

/** @param rotations how many are asked for, one after the other, before the working set is looked at */
export function describeRotation(cluster: () => Cluster, rotations: number): void {
  describe('rotation while running', () => {
    let began = Number.NaN
    beforeAll(() => {
      began = Date.now()
    })

    it('no read is lost on any node, on the connection that stays and on fresh ones', async () => {
      const reads = watchReads(cluster())
      await Promise.all(
        cluster().nodes.map(async (node) => {
          const pod = await readyPod(cluster(), 'calico-node', node.name)
          const seen = new Set<string>()
          await until(
            `${scheduled} rotations on ${node.name}`,
            async () => seen.add(certificateOf(node, pod, 'calico-node').serialNumber).size > scheduled,
            170_000,
          )
          await until('the copy of the CNI plugin in step', async () => {
            return hostCopyOf(node).serialNumber === certificateOf(node, pod, 'calico-cni').serialNumber
          })
          const lines = (await linesOf(cluster(), pod.metadata.name, 'calico-node')).filter(
            ({ event }) => event === 'reads',
          )
          expect(lines.at(-1)).toMatchObject({ commonName: `calico-node:${node.name}` })
          expect(new Set(lines.map(({ serial }) => serial)).size).toBeGreaterThan(scheduled / 2)
        }),
      )
      expect(reads.failed()).toEqual([])
    })

    it('the kubelet writes another token: the agent logs in with that, and was not started again', async () => {
      const reads = watchReads(cluster())
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
      expect(reads.failed()).toEqual([])
    })

    it(
      "an agent's working set stays below its request, and no read is lost, over many rotations",
      async () => {
        const reads = watchReads(cluster())
        await Promise.all(
          cluster().nodes.map(async (node) => {
            const pod = await readyPod(cluster(), 'calico-node', node.name)
            const [pid, before] = [pidOf(node, pod), workingSet(node, pod) / mebibyte]
            for (let done = 0; done < rotations; done++) await rotate(node, pod, pid)
            const used = workingSet(node, pod) / mebibyte
            const limit =
              Number(readFileSync(join(cgroupOf(node, pod, 'memory'), 'memory.limit_in_bytes'), 'utf8')) / mebibyte
            const lines = await linesOf(cluster(), pod.metadata.name, agentName)
            const published = lines.filter(({ event }) => event === 'published').length
            console.log(
              `       ${node.name}: ${before.toFixed(1)} MiB, and ${used.toFixed(1)} MiB after ${published} publications; limit ${limit} MiB`,
            )
            expect(published).toBeGreaterThanOrEqual(rotations)
            expect(pidOf(node, pod)).toBe(pid)
            expect(used).toBeLessThan(80)
          }),
        )
        expect(reads.failed()).toEqual([])
      },
      120_000 + rotations * 1000,
    )

    it('kube-controllers, which is not root, has lost none either', async () => {
      const pod = await readyPod(cluster(), 'calico-kube-controllers')
      const lines = await linesOf(cluster(), pod.metadata.name, 'calico-kube-controllers')
      const isNew = ({ time }: { readonly time: string }): boolean => Date.parse(time) >= began
      expect(lines.filter((line) => line.event === 'failed' && isNew(line))).toEqual([])
      const last = lines.at(-1)
      expect(last).toMatchObject({ event: 'reads', commonName: 'calico-kube-controllers' })
      expect(last !== undefined && isNew(last)).toBe(true)
    })
  })
}

/** Asks the agent for new certificates, as an operator does, and waits for calico-node's. */
async function rotate(node: Node, pod: KubeObject, pid: number): Promise<void> {
  const { serialNumber } = certificateOf(node, pod, 'calico-node')
  await node.run('kill', '-HUP', String(pid))
  await until('a rotation', async () => certificateOf(node, pod, 'calico-node').serialNumber !== serialNumber)
}
