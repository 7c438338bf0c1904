/** Owns measuring `provision watch` from the built bundle: until all is in step, and one node more. */
import { spawn } from 'node:child_process'
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { readMemory } from '../process-stats.ts'
import { rounded } from '../summary.ts'
import { type Subject, type Work, workOf, workSince } from './measure.ts'

export interface MeasuredWatch {
  /** From the start of the program until everything was looked at. */
  readonly inStepSeconds: number
  /** From the moment that one name more is in the file until its users can log in. */
  readonly oneNodeSeconds: number
  /** For it. */
  readonly etcd: Work
  readonly peakMiB: number
}

export async function measureWatch(
  subject: Subject,
  nodes: readonly string[],
  limitSeconds: number,
): Promise<MeasuredWatch> {
  return await withWatch(subject, nodes, { limitSeconds, args: [] }, async (watch) => {
    const before = await workOf(subject.identity)
    const addedAt = performance.now()
    watch.add(['watched-one-more'])
    await watch.until('subject', 'user calico-cni:watched-one-more')
    const oneNodeSeconds = rounded(((await watch.until('event', 'provision-done')) - addedAt) / 1000)
    const etcd = await workSince(before, subject.identity)
    return { inStepSeconds: watch.inStepSeconds, oneNodeSeconds, etcd, peakMiB: watch.peakMiB() }
  })
}

export interface Watch {
  readonly inStepSeconds: number
  add(nodes: readonly string[]): void
  /** The moment when it said so. */
  until(field: string, value: string): Promise<number>
  peakMiB(): number
}

/** Starts the program, and uses it once all is in step. */
export async function withWatch<Result>(
  { env }: Subject,
  nodes: readonly string[],
  { limitSeconds, args: more }: { limitSeconds: number; args: readonly string[] },
  use: (watch: Watch) => Promise<Result>,
): Promise<Result> {
  const directory = mkdtempSync(join(tmpdir(), 'bench-watch-'))
  const file = join(directory, 'nodes')
  writeFileSync(file, `${nodes.join('\n')}\n`)
  const startedAt = performance.now()
  const args = ['provision', 'watch', '--nodes-file', file, '--components', 'calico-node,calico-cni', ...more]
  const child = spawn(process.execPath, ['dist/main.js', ...args], {
    env: { PATH: process.env['PATH'], ...env, AGENT_LISTEN: 'off', AGENT_LOG_LEVEL: 'debug' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const limit = setTimeout(() => child.kill('SIGKILL'), limitSeconds * 1000)
  try {
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    const until: Watch['until'] = async (field, value) => {
      for (;;) {
        const { value: line, done: hasEnded } = await lines.next()
        if (hasEnded === true) throw new Error('provision watch has ended')
        if ((JSON.parse(line) as Record<string, unknown>)[field] === value) return performance.now()
      }
    }
    const inStepSeconds = rounded(((await until('event', 'provision-done')) - startedAt) / 1000)
    const add: Watch['add'] = (names) => appendFileSync(file, `${names.join('\n')}\n`)
    return await use({ inStepSeconds, add, until, peakMiB: () => rounded(readMemory(child.pid ?? 0).peak, 1) })
  } finally {
    clearTimeout(limit)
    child.kill('SIGKILL')
    rmSync(directory, { recursive: true, force: true })
  }
}
