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
  /** How often etcd said that its users had changed meanwhile, and the request was made again, as Calico's client does. */
  readonly retried: number
}

/** Until `until` settles. */
export async function measureCalico(etcd: RealEtcd, node: string, until: Promise<unknown>): Promise<Latency> {
  const { endpoint, ca, cert, key } = await etcd.client(`calico-node:${node}`)
  const client = new Etcd3({
    hosts: endpoint,
    credentials: { rootCertificate: Buffer.from(ca), privateKey: Buffer.from(key), certChain: Buffer.from(cert) },
  })
  const requests = [
    () => client.put(`${P}nodes/${node}`).value('{}').exec(),
    () => client.getAll().prefix(`${P}nodes/`).limit(100).keys(),
    () => client.put(`/calico/felix/v2/no-region/host/${node}/status`).value('{}').exec(),
    () => client.get(`${P}felixconfigurations/default`).string(),
  ]
  const watcher = await client.watch().prefix(P).create()
  await Promise.all(requests.map((request) => request()))
  const took: number[] = []
  let retried = 0
  const ask = async (request: () => Promise<unknown>): Promise<void> => {
    const startedAt = performance.now()
    for (;;) {
      try {
        await request()
        took.push(performance.now() - startedAt)
        return
      } catch (error) {
        if (!/revision of auth store is old/.test(String(error))) throw error
        retried++
      }
    }
  }
  const running = new Set<Promise<void>>()
  let turn = 0
  const timer = setInterval(() => {
    for (const request of requests.slice(turn, turn + 1)) {
      const one = ask(request).finally(() => running.delete(one))
      running.add(one)
    }
    turn = (turn + 1) % requests.length
  }, everyMs)
  await until
  clearInterval(timer)
  await Promise.all(running)
  await watcher.cancel()
  client.close()
  const sorted = took.toSorted((a, b) => a - b)
  const at = (share: number): number => rounded(sorted[Math.ceil(share * sorted.length) - 1] ?? 0)
  return { p50Ms: at(0.5), p99Ms: at(0.99), greatestMs: at(1), requests: sorted.length, retried }
}
