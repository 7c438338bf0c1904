/**
 * The whole agent with something damaged: a file that it reads, an answer that it gets. It runs in processes of its own, case after
 * case, so that what would end the program is seen. It ends with a good certificate in place (status 0), whatever was damaged, once
 * what others have handed over is mended; and a few cases do the same with the built program.
 */
import { availableParallelism } from 'node:os'
import { expect, inject, test } from 'vitest'
import { tempDir } from '../support/temp-dir.ts'
import { bundleWorker } from './agent/bundle-worker.ts'
import { runWorker } from './agent/run-worker.ts'

const seed = inject('fuzzSeed') ?? Math.floor(Math.random() * 2 ** 31)
const only = inject('fuzzCase')
const count = inject('fuzzCases') ?? 2000
const [first, end] = only === undefined ? [0, count] : [only, only + 1]
const hourMs = 3_600_000

test(
  'the agent survives whatever it reads, and comes to rights',
  async ({ annotate }) => {
    const base = tempDir()
    const file = await bundleWorker(base)
    const workers = only === undefined ? Math.min(2, availableParallelism()) : 1
    const runs = Array.from({ length: workers }, (_, index) =>
      runWorker({ file, base, seed, first: first + index, end, step: workers }),
    )
    const ends = await Promise.all(runs)
    await annotate(`seed ${seed}`)
    const problems = ends.flatMap((each) => each.problems)
    const again = (number: number): string => `npm run fuzz -- --seed ${seed} --case ${number}`
    expect(problems.map(({ number, text }) => `${again(number)}\n  ${text}`)).toEqual([])
    expect(ends.reduce((sum, each) => sum + each.cases, 0)).toBe(end - first)
  },
  hourMs,
)
