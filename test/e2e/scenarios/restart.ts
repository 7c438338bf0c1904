/** What ends an agent, a pod, a program of the node or the node itself, and what comes of it. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { agentName, certificateOf, cgroupOf, historyOf, hostCopyOf, pidOf, signatures, watchReads } from '../agents.ts'
import type { Cluster } from '../cluster.ts'
import type { KubeObject } from '../kubectl.ts'
import type { Node } from '../node.ts'
import { containerOf, isReady, podOf, readyPod } from '../pods.ts'
import { until } from '../wait.ts'

const targets = ['calico-node', 'calico-cni'] as const

/** How an agent's process ends, and what the kubelet calls it. */
const ends: Readonly<Record<string, (node: Node, pod: KubeObject) => Promise<void>>> = {
  'is killed': async (node, pod) => void (await node.run('kill', '-KILL', String(pidOf(node, pod)))),
  'runs out of memory': async (node, pod) => {
    // Files in memory count for who writes them. The kernel ends the largest process, and then, with nothing else left, the writer.
    const group = join(cgroupOf(node, pod, 'memory'), 'cgroup.procs')
    const fill = `echo $$ > ${group}; exec dd if=/dev/zero of=/run/fill bs=1M count=1000 status=none`
    // Neither containerd nor the kubelet always tells why a container has ended; the kernel counts.
    const before = killedForMemory()
    await node.run('sh', '-c', fill).catch(() => {})
    await node.run('rm', '/run/fill')
    expect(killedForMemory()).toBeGreaterThan(before)
  },
  'hangs, so that its probe fails': async (node, pod) =>
    void (await node.run('kill', '-STOP', String(pidOf(node, pod)))),
}

export function describeRestarts(cluster: () => Cluster): void {
  const first = (): Node => {
    const [node] = cluster().nodes
    if (node === undefined) throw new Error('there is no node')
    return node
  }
  const serialsOf = (node: Node, pod: KubeObject) =>
    targets.map((target) => certificateOf(node, pod, target).serialNumber)

  describe('on a node', () => {
    it.each(Object.keys(ends))('an agent that %s is started again, and needs no new certificate', async (name) => {
      const reads = watchReads(cluster())
      const node = first()
      const pod = await readyPod(cluster(), 'calico-node', node.name)
      const before = { serials: serialsOf(node, pod), signatures: signatures(cluster()), pid: pidOf(node, pod) }
      const calico = containerOf(pod, 'calico-node').containerID
      const restarts = containerOf(pod, agentName).restartCount
      const ending = ends[name]?.(node, pod)
      const after = await until(
        'the agent again',
        async () => {
          const now = await podOf(cluster(), 'calico-node', node.name)
          const agent = containerOf(now, agentName)
          return agent.restartCount > restarts && agent.started === true && isReady(now) ? now : undefined
        },
        170_000,
      )
      await ending
      expect(after.metadata.uid).toBe(pod.metadata.uid)
      expect(serialsOf(node, after)).toEqual(before.serials)
      expect(signatures(cluster())).toBe(before.signatures)
      expect(containerOf(after, 'calico-node').containerID).toBe(calico)
      expect(reads.failed()).toEqual([])
    })

    it('a kubelet and a containerd that are killed leave the pods as they are', async () => {
      const reads = watchReads(cluster())
      const node = first()
      const pod = await readyPod(cluster(), 'calico-node', node.name)
      const before = { serials: serialsOf(node, pod), signatures: signatures(cluster()), pid: pidOf(node, pod) }
      await node.kill('containerd')
      await node.kill('kubelet')
      const killedAt = new Date().toISOString()
      // What runs on the node and what the node says of it are two things: it has to say so again.
      await until('a heartbeat of the kubelet', async () => {
        const lease = JSON.parse(
          await cluster().kubectl.run('get', 'lease', node.name, '--namespace', 'kube-node-lease', '-o', 'json'),
        ) as { spec: { renewTime: string } }
        return lease.spec.renewTime > killedAt
      })
      const after = await readyPod(cluster(), 'calico-node', node.name)
      expect(after.metadata.uid).toBe(pod.metadata.uid)
      expect({ serials: serialsOf(node, after), signatures: signatures(cluster()), pid: pidOf(node, after) }).toEqual(
        before,
      )
      expect(reads.failed()).toEqual([])
    })

    it('a pod that is deleted comes again with certificates of its own, in the right order', async () => {
      const node = first()
      const pod = await readyPod(cluster(), 'calico-node', node.name)
      const before = serialsOf(node, pod)
      await cluster().kubectl.run('delete', 'pod', pod.metadata.name)
      const after = await readyPod(cluster(), 'calico-node', node.name, pod.metadata.uid)
      expect(serialsOf(node, after)).not.toEqual(before)
      expectCertificates(node)
    })

    it('a node that loses its power and boots has its certificates again, and the CNI plugin their copy', async () => {
      const reads = watchReads(cluster())
      const node = first()
      const pod = await readyPod(cluster(), 'calico-node', node.name)
      const before = signatures(cluster())
      await node.powerOff()
      await node.boot()
      const after = await until(
        'calico-node after the boot',
        async () => {
          const now = await podOf(cluster(), 'calico-node', node.name)
          const isNew = containerOf(now, agentName).containerID !== containerOf(pod, agentName).containerID
          return isNew && isReady(now) ? now : undefined
        },
        120_000,
      )
      expect(signatures(cluster())).toBeGreaterThanOrEqual(before + targets.length)
      await until('the copy of the CNI plugin', async () => {
        return hostCopyOf(node).serialNumber === certificateOf(node, after, 'calico-cni').serialNumber
      })
      expectCertificates(node)
      expect(reads.failed()).toEqual([])
    })
  })
}

/** By the kernel, on the whole machine. */
function killedForMemory(): number {
  return Number(/^oom_kill (\d+)$/m.exec(readFileSync('/proc/vmstat', 'utf8'))?.[1])
}

/** Every start of a consumer so far has found its certificate. */
export function expectCertificates(node: Node): void {
  const starts = historyOf(node).filter(({ event }) => event === 'install-cni' || event === 'started')
  expect(starts.length).toBeGreaterThan(0)
  for (const start of starts)
    expect(start).toMatchObject({ files: { 'etcd-cert': { readable: true }, 'etcd-key': { readable: true } } })
}
