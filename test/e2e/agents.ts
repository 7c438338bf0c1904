/** Owns what a test asks about an agent on a node: its process, its certificates, what it had Vault sign. */
import { X509Certificate } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Cluster } from './cluster.ts'
import type { KubeObject } from './kubectl.ts'
import type { Node } from './node.ts'
import { containerOf, type Line } from './pods.ts'

const volumes = { 'calico-node': 'agent-node-certs', 'calico-cni': 'agent-cni-certs' } as const
export const agentName = 'calico-vault-agent'

/** The pid, within the node, of a container's first process. */
export function pidOf(node: Node, pod: KubeObject, container = agentName): number {
  const id = containerOf(pod, container).containerID?.replace('containerd://', '') ?? 'none'
  const pids = readdirSync(node.path('/proc')).filter((name) => /^\d+$/.test(name))
  const found = pids.map(Number).filter((pid) => {
    try {
      return readFileSync(node.path(`/proc/${pid}/cgroup`), 'utf8').includes(id)
    } catch {
      // It has ended meanwhile.
      return false
    }
  })
  if (found.length === 0) throw new Error(`${container} of ${pod.metadata.name} does not run`)
  return Math.min(...found)
}

/** A directory of one controller, of the container's control group. */
export function cgroupOf(node: Node, pod: KubeObject, controller: string, container = agentName): string {
  const line = readFileSync(node.path(`/proc/${pidOf(node, pod, container)}/cgroup`), 'utf8')
    .split('\n')
    .find((each) => each.split(':')[1]?.split(',').includes(controller))
  return join('/sys/fs/cgroup', controller, line?.split(':')[2] ?? '')
}

/** Bytes that the kernel cannot take back: what the kubelet calls the working set. */
export function workingSet(node: Node, pod: KubeObject): number {
  const directory = cgroupOf(node, pod, 'memory')
  const usage = Number(readFileSync(join(directory, 'memory.usage_in_bytes'), 'utf8'))
  const inactive = Number(
    /^total_inactive_file (\d+)$/m.exec(readFileSync(join(directory, 'memory.stat'), 'utf8'))?.[1],
  )
  return usage - inactive
}

/** What an agent has published on a node. */
export function certificateOf(node: Node, pod: KubeObject, component: keyof typeof volumes): X509Certificate {
  const volume = `/var/lib/kubelet/pods/${pod.metadata.uid}/volumes/kubernetes.io~empty-dir/${volumes[component]}`
  return new X509Certificate(readFileSync(node.path(`${volume}/etcd-cert`)))
}

export function hostCopyOf(node: Node): X509Certificate {
  return new X509Certificate(readFileSync(node.path('/etc/cni/net.d/calico-tls/etcd-cert')))
}

/** The token for Vault that the kubelet keeps in a pod, decoded. */
export function tokenOf(node: Node, pod: KubeObject): { readonly jti: string; readonly iat: number } {
  const volume = `/var/lib/kubelet/pods/${pod.metadata.uid}/volumes/kubernetes.io~projected/vault-token/token`
  const [, claims = ''] = readFileSync(node.path(volume), 'utf8').split('.')
  return JSON.parse(Buffer.from(claims, 'base64url').toString()) as { jti: string; iat: number }
}

/** How many requests to sign a certificate Vault has answered, by its own audit log. */
export function signatures({ directory }: Pick<Cluster, 'directory'>): number {
  const entries = readFileSync(join(directory, 'audit.log'), 'utf8').split('\n').slice(0, -1)
  return entries.filter((line) => {
    const { type, request, response } = JSON.parse(line) as {
      type: string
      request?: { path?: string }
      response?: { data?: object }
    }
    return type === 'response' && request?.path?.startsWith('pki/sign/') === true && response?.data !== undefined
  }).length
}

/** Everything that the stand-ins on a node have told, over all pods, in order of time. */
export function historyOf(node: Node): Line[] {
  return ['/var/lib/calico', '/etc/cni/net.d']
    .flatMap((place) =>
      readFileSync(node.path(`${place}/stand-in.log`), 'utf8')
        .split('\n')
        .slice(0, -1),
    )
    .map((line) => JSON.parse(line) as Line)
    .toSorted((a, b) => a.time.localeCompare(b.time))
}

/** What is told later counts from now on: the reads of etcd by calico-node that fail, on any node. */
export function watchReads({ nodes }: Pick<Cluster, 'nodes'>): { failed(): Line[] } {
  const since = Date.now()
  const isNew = ({ event, time }: Line): boolean => event === 'failed' && Date.parse(time) >= since
  return { failed: () => nodes.flatMap((node) => historyOf(node).filter(isNew)) }
}
