/** Owns `npm run soak`: `--rotations` (2,000) against a real Vault beside readers and a real etcd, figures as JSON, status 0 where all holds. */
import { parseArgs } from 'node:util'
import { runTests } from '../support/run-tests.ts'

const { values: options } = parseArgs({ options: { rotations: { type: 'string', default: '2000' } } })
const { isGood, tests } = await runTests({
  files: ['test/soak/soak.test.ts'],
  provide: { soakRotations: Number(options.rotations) },
  timeoutMs: 3_600_000,
})
const figures = tests.flatMap(({ name, meta }) => (meta.soak === undefined ? [] : [[name, meta.soak]]))
process.stdout.write(`${JSON.stringify(Object.fromEntries(figures), null, 2)}\n`)
process.exitCode = isGood ? 0 : 1
