/**
 * Owns `npm run fuzz`: the whole agent and its parsers under `--cases` cases each (100,000) of hostile input, from `--seed` where a
 * failure is to come again; with `--case`, that one of the agent alone.
 */
import { parseArgs } from 'node:util'
import { runTests } from '../support/run-tests.ts'

const { values: options } = parseArgs({
  options: { cases: { type: 'string', default: '100000' }, seed: { type: 'string' }, case: { type: 'string' } },
})
const startedAt = Date.now()
const { isGood, tests } = await runTests({
  files: options.case === undefined ? ['test/fuzz/'] : ['test/fuzz/agent.test.ts'],
  provide: {
    fuzzCases: Number(options.cases),
    ...(options.seed === undefined ? {} : { fuzzSeed: Number(options.seed) }),
    ...(options.case === undefined ? {} : { fuzzCase: Number(options.case) }),
  },
  timeoutMs: 7_200_000,
})
const seconds = Math.round((Date.now() - startedAt) / 1000)
const what =
  options.case === undefined ? `${options.cases} cases of the agent, as many of its parsers` : `case ${options.case}`
process.stdout.write(`${tests.length} tests, ${what}, ${seconds} s: ${isGood ? 'none got through' : 'FAILED'}\n`)
process.exitCode = isGood ? 0 : 1
