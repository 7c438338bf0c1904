/**
 * Owns what Calico notices: the latency of a client that reads, writes and watches as a provisioned calico-node, at a fixed rate
 * whatever the answers take, so that a request which waits does not hide those behind it.
 */
import { Etcd3 } from 'etcd3'
import type { RealEtcd } from '../../support/real-etcd.ts'
import { rounded } from '../summary.ts'

const everyMs = 10
const P = '/calico/resources/v3/projectcalico.org/'

export interface Latency {
  readonly p50Ms: number
  readonly p99Ms: number
  readonly greatestMs: number
  readonly requests: number
  readonly failed: number
}

/** Until `until` settles. */
export async function measureCalico(etcd: RealEtcd, node: string, until: Promise<unknown>): Promise<Latency> {
  const { endpoint, ca, cert, key } = await etcd.client(`calico-node:${node}`)
  const client = new Etcd3({
    hosts: endpoint,
    credentials: { rootCertificate: Buffer.from(ca), privateKey: Buffer.from(key), certChain: Buffer.from(cert) },
  })
  const requests = [
    () => client.put(`${P}nodes/${node}`).value('{}'),
    () => client.getAll().prefix(`${P}nodes/`).limit(100).keys(),
    () => client.put(`/calico/felix/v2/no-region/host/${node}/status`).value('{}'),
    () => client.get(`${P}felixconfigurations/default`).string(),
  ]
  const watcher = await client.watch().prefix(P).create()
  await Promise.all(requests.map((request) => request()))
  const took: number[] = []
  let failed = 0
  const running = new Set<Promise<void>>()
  let count = 0
  const timer = setInterval(() => {
    const startedAt = performance.now()
    const one = (requests[count++ % requests.length] ?? requests[0])?.().then(
      () => void took.push(performance.now() - startedAt),
      () => void failed++,
    ) as Promise<void>
    running.add(one)
    void one.then(() => running.delete(one))
  }, everyMs)
  await until
  clearInterval(timer)
  await Promise.all(running)
  await watcher.cancel()
  client.close()
  const sorted = took.toSorted((a, b) => a - b)
  const at = (share: number): number => rounded(sorted[Math.ceil(share * sorted.length) - 1] ?? 0)
  return { p50Ms: at(0.5), p99Ms: at(0.99), greatestMs: at(1), requests: sorted.length, failed }
}
