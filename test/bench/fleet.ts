/**
 * Owns `npm run bench:fleet`: what a fleet asks of Vault over days, in virtual time, decided by the agent's own functions.
 * Prints the figures as one JSON, writes them and a picture to `--out` (.bench), and ends with status 1 where a target of
 * fleet/scenarios.ts is missed. `--seed` gives other nodes other slots.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { judge, measure } from './fleet/measure.ts'
import { drawRuns } from './fleet/plot.ts'
import { defaultFleet, scenarios } from './fleet/scenarios.ts'
import { simulate } from './fleet/simulation.ts'

const { values: options } = parseArgs({
  options: {
    out: { type: 'string', default: '.bench' },
    nodes: { type: 'string', default: `${defaultFleet.nodes}` },
    seed: { type: 'string', default: `${defaultFleet.seed}` },
  },
})
const fleet = { ...defaultFleet, nodes: Number(options.nodes), seed: Number(options.seed) }
if (!(fleet.nodes > 0 && fleet.nodes <= 100_000 && Number.isInteger(fleet.nodes + fleet.seed))) {
  throw new Error('--nodes must be a whole number up to 100000, and --seed a whole number')
}

const runs = scenarios.map((scenario) => {
  const record = simulate(fleet, scenario)
  const figures = measure(fleet, record)
  return { scenario, record, figures, targets: judge(scenario, figures) }
})
const holds = runs.every(({ targets }) => targets.every((target) => target.holds))
const { nodes, components, ttlMs, renewAt, seed } = fleet
const report = {
  fleet: { nodes, components, ttlHours: ttlMs / 3_600_000, renewAt, seed },
  scenarios: Object.fromEntries(
    runs.map(({ scenario: { name, title }, figures, targets }) => [name, { title, ...figures, targets }]),
  ),
  holds,
}
const title = `${nodes.toLocaleString('en')} nodes × ${components.length} components, ${ttlMs / 3_600_000}-hour certificates`
const json = `${JSON.stringify(report, null, 2)}\n`
mkdirSync(options.out, { recursive: true })
writeFileSync(join(options.out, 'fleet.json'), json)
writeFileSync(join(options.out, 'fleet.svg'), drawRuns(title, runs))
process.stdout.write(json)
process.exitCode = holds ? 0 : 1
