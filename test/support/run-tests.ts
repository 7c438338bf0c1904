/**
 * Owns running test files as a program of its own, in a longer form than inside `npm test`: `npm run faults`, `fuzz` and `soak` are
 * the same tests with other numbers, so that what the short form proves and what the long form shows cannot differ.
 */
import type { ProvidedContext, TaskMeta } from 'vitest'
import { startVitest } from 'vitest/node'

export interface LongRun {
  readonly files: readonly string[]
  /** What the tests ask for by `inject`. */
  readonly provide: Partial<ProvidedContext>
  readonly maxConcurrency?: number
  readonly timeoutMs: number
  /** Of the tests, those whose names match. */
  readonly only?: string | undefined
}

export interface LongRunEnd {
  readonly isGood: boolean
  readonly tests: readonly {
    readonly name: string
    readonly state: 'passed' | 'failed' | 'left out'
    readonly meta: TaskMeta
  }[]
}

export async function runTests({ files, provide, maxConcurrency = 1, timeoutMs, only }: LongRun): Promise<LongRunEnd> {
  const vitest = await startVitest(
    'test',
    [...files],
    {
      watch: false,
      reporters: [['default', { summary: false }]],
      testTimeout: timeoutMs,
      // Figures of one file are not to be those of two.
      fileParallelism: false,
      provide,
      ...(only === undefined ? {} : { testNamePattern: only }),
    },
    // Projects do not take this one of the options.
    { test: { maxConcurrency } },
  )
  const modules = vitest.state.getTestModules()
  const tests = modules.flatMap((module) => [...module.children.allTests()])
  const states = { passed: 'passed', failed: 'failed', pending: 'failed', skipped: 'left out' } as const
  const end = {
    isGood: modules.length > 0 && modules.every((module) => module.ok()),
    tests: tests.map((test) => ({ name: test.name, state: states[test.result().state], meta: test.meta() })),
  }
  await vitest.close()
  return end
}
