/**
 * Owns a process that runs cases one after the other, and says which one before it begins it: `case 7`, then `bad 7 …` where it
 * failed, `done` in the end. Whatever ends the process is laid at the door of the case that it was in.
 */
import { mkdtempSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../../agent/core/clock.ts'
import { createToldMetrics } from '../../support/told-metrics.ts'
import { runCase } from './case.ts'
import { createMaterial } from './material.ts'
import { startStubVault } from './stub-vault.ts'

const [base = tmpdir(), ...numbers] = process.argv.slice(2)
const [seed = 0, first = 0, end = 0, step = 1] = numbers.map(Number)
/** At once, whatever ends the process next. */
const say = (text: string): void => void writeSync(1, `${text}\n`)

const startMs = Math.floor(Date.now() / 1000) * 1000
const material = await createMaterial(startMs)
const stub = await startStubVault(material)
const metrics = createToldMetrics({
  components: ['calico-node'],
  version: 'fuzz',
  clock: systemClock,
  credentialExpiryMs: () => undefined,
})
const own = mkdtempSync(join(base, 'worker-'))
for (let number = first; number < end; number += step) {
  say(`case ${number}`)
  const problem = await runCase({ base: own, material, stub, startMs, seed, metrics }, number)
  if (problem !== undefined) say(`bad ${number} ${JSON.stringify(problem)}`)
}
rmSync(own, { recursive: true, force: true })
await stub.stop()
say('done')
process.exit(0)
