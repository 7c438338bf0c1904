/** Owns what a test asks about pods: their containers, what these have told, and which files they see. */
import { type Cluster } from './cluster.ts'
import type { ContainerStatus, KubeObject } from './kubectl.ts'
import { until } from './wait.ts'

export type Line = Readonly<Record<string, unknown>> & { readonly event: string; readonly time: string }

/** The pod of a workload that is not on its way out, on this node. */
export async function podOf(
  { kubectl }: Pick<Cluster, 'kubectl'>,
  workload: string,
  node?: string,
): Promise<KubeObject> {
  const pods = await kubectl.list('pods', '-l', `k8s-app=${workload}`)
  const found = pods.filter(
    (pod) => pod.metadata.deletionTimestamp === undefined && (node === undefined || pod.spec.nodeName === node),
  )
  const [pod] = found
  if (pod === undefined || found.length > 1)
    throw new Error(`${found.length} pods of ${workload} on ${node ?? 'any node'}`)
  return pod
}

export function isReady({ status }: KubeObject): boolean {
  return status.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') === true
}

/** The workload's pod, when it is Ready. @param not the uid of the pod that it replaces */
export function readyPod(
  cluster: Pick<Cluster, 'kubectl'>,
  workload: string,
  node?: string,
  not?: string,
): Promise<KubeObject> {
  return until(
    `a pod of ${workload} that is Ready${node === undefined ? '' : ` on ${node}`}`,
    async () => {
      const pod = await podOf(cluster, workload, node)
      if (isReady(pod) && pod.metadata.uid !== not) return pod
      throw new Error(JSON.stringify(containersOf(pod).map(({ name, state, ready }) => ({ name, state, ready }))))
    },
    120_000,
  )
}

export function containersOf({ status }: KubeObject): readonly ContainerStatus[] {
  return [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])]
}

export function containerOf(pod: KubeObject, name: string): ContainerStatus {
  const found = containersOf(pod).find((container) => container.name === name)
  if (found === undefined) throw new Error(`${pod.metadata.name} has no container ${name}`)
  return found
}

/** The JSON lines that a container has written, of its latest run. */
export async function linesOf({ kubectl }: Pick<Cluster, 'kubectl'>, pod: string, container: string): Promise<Line[]> {
  const text = await kubectl.run('logs', pod, '-c', container)
  return text.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as Line] : []))
}
