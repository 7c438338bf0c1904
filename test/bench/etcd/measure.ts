/** Owns measuring one run of `provision` from the built bundle, and what etcd has served meanwhile. */
import { spawn } from 'node:child_process'
import { get } from 'node:https'
import type { EtcdIdentity } from '../../support/etcd-grpc.ts'
import { readMemory } from '../process-stats.ts'
import { rounded } from '../summary.ts'

export interface Measured {
  readonly seconds: number
  readonly peakMiB: number
  readonly etcd: Work
  readonly exitCode: number | null
}

/** What etcd has done. */
export interface Work {
  /** Calls that it has served, all of them. */
  readonly calls: number
  /** Computing time: the same on a machine that has other work. */
  readonly cpuSeconds: number
}

export interface Subject {
  readonly identity: Required<EtcdIdentity>
  readonly env: Readonly<Record<string, string>>
}

/** One run to its end, or to SIGKILL after `limitSeconds` (exit code null). */
export async function measureProvision(
  { identity, env }: Subject,
  args: readonly string[],
  nodes: readonly string[],
  limitSeconds: number,
): Promise<Measured> {
  const before = await workOf(identity)
  const startedAt = performance.now()
  const common = ['--naming', 'node', '--nodes-file', '-', '--components', 'calico-node,calico-cni']
  const child = spawn(process.execPath, ['dist/main.js', 'provision', ...args, ...common], {
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['pipe', 'ignore', 'inherit'],
  })
  child.stdin.on('error', () => {})
  child.stdin.end(nodes.join('\n'))
  let peakMiB = 0
  const look = setInterval(() => {
    try {
      peakMiB = Math.max(peakMiB, readMemory(child.pid ?? 0).peak)
    } catch {
      // It has just ended.
    }
  }, 10)
  const limit = setTimeout(() => child.kill('SIGKILL'), limitSeconds * 1000)
  const exitCode = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  const seconds = (performance.now() - startedAt) / 1000
  clearInterval(look)
  clearTimeout(limit)
  return { seconds: rounded(seconds), peakMiB: rounded(peakMiB, 1), etcd: await workSince(before, identity), exitCode }
}

export async function workSince(before: Work, identity: Required<EtcdIdentity>): Promise<Work> {
  const { calls, cpuSeconds } = await workOf(identity)
  return { calls: calls - before.calls, cpuSeconds: rounded(cpuSeconds - before.cpuSeconds) }
}

/** By etcd's own counters, since it started. */
export function workOf({ endpoint, ca, cert, key }: Required<EtcdIdentity>): Promise<Work> {
  return new Promise((resolve, reject) => {
    const request = get(`${endpoint}/metrics`, { ca, cert, key, agent: false }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString()
        const sumOf = (metric: RegExp): number =>
          [...text.matchAll(metric)].reduce((sum, [, value]) => sum + Number(value), 0)
        const calls = sumOf(/^grpc_server_started_total\{.*\} (\S+)$/gm)
        resolve({ calls, cpuSeconds: sumOf(/^process_cpu_seconds_total (\S+)$/gm) })
      })
    })
    request.on('error', reject)
  })
}
