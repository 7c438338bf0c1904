/** The order of a pod's start, and what its containers see. */
import { describe, expect, it } from 'vitest'
import type { Cluster } from '../cluster.ts'
import { linesOf, podOf } from '../pods.ts'

const seconds = (to = 0, from = 0): string => ((to - from) / 1000).toFixed(2)

const file = (mode: string, uid: number, gid: number) => ({ mode, uid, gid, readable: true })

export function describeStart(cluster: () => Cluster): void {
  describe('the start of a pod', () => {
    it('no consumer starts before its certificate is published', async () => {
      for (const { name } of cluster().nodes) {
        const { metadata, status } = await podOf(cluster(), 'calico-node', name)
        // calico-vault-agent, or calico-vault-agent-init in the form without native sidecars.
        const agent = await linesOf(cluster(), metadata.name, status.initContainerStatuses?.[0]?.name ?? '')
        const published = agent.filter(({ event }) => event === 'published')
        const [install] = await linesOf(cluster(), metadata.name, 'install-cni')
        expect(published.length).toBeGreaterThanOrEqual(2)
        const [publishedAt, installAt] = [published[1]?.time, install?.time].map((time) => Date.parse(time ?? ''))
        expect(installAt).toBeGreaterThan(publishedAt ?? Number.NaN)
        console.log(
          `       ${name}: install-cni ${seconds(installAt, publishedAt)} s after "published", which was ${seconds(publishedAt, Date.parse(agent[0]?.time ?? ''))} s after the agent's first line`,
        )
      }
    })

    it("root's files are for root alone: calico-node and install-cni read them", async () => {
      const { metadata } = await podOf(cluster(), 'calico-node', 'node1')
      for (const container of ['install-cni', 'calico-node']) {
        const [start] = await linesOf(cluster(), metadata.name, container)
        expect(start).toMatchObject({
          uid: 0,
          files: { 'etcd-key': file('0400', 0, 0), 'etcd-cert': file('0400', 0, 0), 'etcd-ca': file('0444', 0, 0) },
        })
      }
    })

    it("kube-controllers' user is not the agent's, and reads by the group of the volume", async () => {
      const { metadata } = await podOf(cluster(), 'calico-kube-controllers')
      const [start] = await linesOf(cluster(), metadata.name, 'calico-kube-controllers')
      expect(start).toMatchObject({ uid: 999, files: { 'etcd-key': file('0440', 10_001, 10_001) } })
    })
  })
}
