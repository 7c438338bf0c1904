/** Owns a worker process and its successors: one that ended in a case is told with that case, and the next begins behind it. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

export interface WorkerRange {
  /** The worker as one file (bundle-worker.ts). */
  readonly file: string
  readonly base: string
  readonly seed: number
  readonly first: number
  readonly end: number
  readonly step: number
}

export interface WorkerEnd {
  readonly cases: number
  readonly problems: readonly { readonly number: number; readonly text: string }[]
}

/** A case takes milliseconds. */
const silentMs = 60_000
/** More of them would say nothing new. */
const mostProblems = 20

export async function runWorker(range: WorkerRange): Promise<WorkerEnd> {
  const problems: { number: number; text: string }[] = []
  let cases = 0
  for (let first = range.first; first < range.end && problems.length < mostProblems; ) {
    const run = await runOnce({ ...range, first })
    cases += run.cases
    problems.push(...run.problems)
    if (run.isDone) break
    problems.push({ number: run.last, text: `the process ended: ${run.how}` })
    first = run.last + range.step
  }
  return { cases, problems }
}

interface Run extends WorkerEnd {
  /** The case that was begun last. */
  readonly last: number
  readonly isDone: boolean
  /** How it ended. */
  readonly how: string
}

function runOnce({ file, base, seed, first, end, step }: WorkerRange): Promise<Run> {
  const numbers = [seed, first, end, step].map(String)
  const child = spawn(process.execPath, ['--enable-source-maps', file, base, ...numbers], {
    env: { PATH: process.env['PATH'] },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [last, cases, isDone, errors] = [first, 0, false, '']
  const problems: { number: number; text: string }[] = []
  let timer: NodeJS.Timeout | undefined
  const watch = (): void => {
    clearTimeout(timer)
    timer = setTimeout(() => child.kill('SIGKILL'), silentMs)
  }
  watch()
  child.stderr.on('data', (chunk: Buffer) => {
    errors = (errors + chunk.toString()).slice(-2000)
  })
  createInterface({ input: child.stdout }).on('line', (line) => {
    watch()
    const [word, number = '', ...rest] = line.split(' ')
    if (word === 'case') [last, cases] = [Number(number), cases + 1]
    if (word === 'bad') problems.push({ number: Number(number), text: JSON.parse(rest.join(' ')) as string })
    if (word === 'done') isDone = true
    if (problems.length >= mostProblems) child.kill('SIGKILL')
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => {
      clearTimeout(timer)
      resolve({ cases, problems, last, isDone: isDone && code === 0, how: `${code ?? signal} ${errors}` })
    })
  })
}
