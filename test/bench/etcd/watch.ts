/** Owns measuring `provision watch` from the built bundle: until all is in step, and one node more. */
import { spawn } from 'node:child_process'
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { readMemory } from '../process-stats.ts'
import { rounded } from '../summary.ts'
import { callsServed, type Subject } from './measure.ts'

export interface MeasuredWatch {
  /** From the start of the program until everything was looked at. */
  readonly inStepSeconds: number
  /** From the moment that one name more is in the file until its users can log in. */
  readonly oneNodeSeconds: number
  /** Calls that etcd has served for it. */
  readonly oneNodeCalls: number
  readonly peakMiB: number
}

export async function measureWatch(
  { identity, env }: Subject,
  nodes: readonly string[],
  limitSeconds: number,
): Promise<MeasuredWatch> {
  const directory = mkdtempSync(join(tmpdir(), 'bench-watch-'))
  const file = join(directory, 'nodes')
  writeFileSync(file, `${nodes.join('\n')}\n`)
  const startedAt = performance.now()
  const args = ['provision', 'watch', '--nodes-file', file, '--components', 'calico-node,calico-cni']
  const child = spawn(process.execPath, ['dist/main.js', ...args], {
    env: { PATH: process.env['PATH'], ...env, AGENT_LISTEN: 'off', AGENT_LOG_LEVEL: 'debug' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const limit = setTimeout(() => child.kill('SIGKILL'), limitSeconds * 1000)
  try {
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    const until = async (field: string, value: string): Promise<number> => {
      for (;;) {
        const { value: line, done: hasEnded } = await lines.next()
        if (hasEnded === true) throw new Error('provision watch has ended')
        if ((JSON.parse(line) as Record<string, unknown>)[field] === value) return performance.now()
      }
    }
    const inStepSeconds = rounded(((await until('event', 'provision-done')) - startedAt) / 1000)
    const before = await callsServed(identity)
    const addedAt = performance.now()
    appendFileSync(file, 'watched-one-more\n')
    await until('subject', 'user calico-cni:watched-one-more')
    const oneNodeSeconds = rounded(((await until('event', 'provision-done')) - addedAt) / 1000)
    const oneNodeCalls = (await callsServed(identity)) - before
    return { inStepSeconds, oneNodeSeconds, oneNodeCalls, peakMiB: rounded(readMemory(child.pid ?? 0).peak, 1) }
  } finally {
    clearTimeout(limit)
    child.kill('SIGKILL')
    rmSync(directory, { recursive: true, force: true })
  }
}
