/**
 * Owns `npm run faults`: the whole matrix, each fault held for a while, as a table on the terminal. `--write` puts the table into
 * docs/reliability.md, `--only PATTERN` runs some rows. Ends with status 0 where every promise was kept.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { runTests } from '../support/run-tests.ts'
import { toMarkdown, toText, withTable } from './table.ts'

const document = 'docs/reliability.md'

const { values: options } = parseArgs({
  options: {
    /** How long each fault lasts after its reason has been told. */
    'hold-seconds': { type: 'string', default: '15' },
    /** Of the rows, those whose names match. */
    only: { type: 'string' },
    write: { type: 'boolean', default: false },
  },
})

const { isGood, tests } = await runTests({
  files: ['test/faults/matrix.test.ts', 'test/faults/cluster.test.ts'],
  provide: { faultHoldMs: Number(options['hold-seconds']) * 1000 },
  // Most of the time a row waits.
  maxConcurrency: 12,
  timeoutMs: 300_000,
  only: options.only,
})
const outcomes = tests.flatMap(({ meta }) => (meta.outcome === undefined ? [] : [meta.outcome]))
const isAsked = new RegExp(options.only ?? '')
const leftOut = tests.filter(({ state, name }) => state === 'left out' && isAsked.test(name)).map(({ name }) => name)
const broken = tests.filter(({ state }) => state === 'failed').map(({ name }) => name)
process.stdout.write(toText(outcomes, leftOut, broken))
if (options.write && isGood && options.only === undefined) {
  const text = readFileSync(document, 'utf8')
  writeFileSync(document, withTable(text, toMarkdown(outcomes, leftOut)))
}
// Where nothing could be tried, nothing was shown.
process.exitCode = isGood && outcomes.length > 0 ? 0 : 1
