/** Owns what Linux tells of a process: memory and processor time. */
import { readdirSync, readFileSync } from 'node:fs'

export interface MemoryMiB {
  readonly rss: number
  readonly pss: number
  /** The most that was resident at once. */
  readonly peak: number
}

export function readMemory(pid: number): MemoryMiB {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
  return { rss: field(status, 'VmRSS'), pss: field(rollup, 'Pss'), peak: field(status, 'VmHWM') }
}

function field(text: string, name: string): number {
  const kib = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]
  if (kib === undefined) throw new Error(`/proc does not tell ${name}`)
  return Number(kib) / 1024
}

/** The kernel counts in ticks of 10 ms. */
const msPerTick = 10

/** User and system time of all threads so far, in milliseconds. */
export function readCpuMs(pid: number): number {
  // The second field, the name, may hold anything but ends with the last parenthesis.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) * msPerTick
}

/** The same of the threads that are there now, to the microsecond. */
export function readThreadsCpuMs(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`)
  const nanoseconds = threads.map((thread) =>
    Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]),
  )
  return nanoseconds.reduce((sum, each) => sum + each, 0) / 1e6
}
