/** Owns `npm run fuzz`: the parsers under `--cases` cases (100,000) of hostile input, from `--seed` where a failure is to come again. */
import { parseArgs } from 'node:util'
import { runTests } from '../support/run-tests.ts'

const { values: options } = parseArgs({
  options: { cases: { type: 'string', default: '100000' }, seed: { type: 'string' } },
})
const { isGood, tests } = await runTests({
  files: ['test/fuzz/'],
  provide: {
    fuzzCases: Number(options.cases),
    ...(options.seed === undefined ? {} : { fuzzSeed: Number(options.seed) }),
  },
  timeoutMs: 3_600_000,
})
process.stdout.write(`${tests.length} parsers, ${options.cases} cases: ${isGood ? 'none got through' : 'FAILED'}\n`)
process.exitCode = isGood ? 0 : 1
