/**
 * Owns `npm run soak`: `--rotations` (2,000) against a real Vault beside readers and a real etcd, and a fleet of `--agents` (200) on
 * that Vault; as many processes over a rolling restart of a cluster of three (`--only 'rolling restart'` for this alone). `--agent COMMAND` reads another agent's certificates beside ours. Prints the figures as JSON, and ends with status 0 where all holds.
 */
import { parseArgs } from 'node:util'
import { runTests } from '../support/run-tests.ts'
import { comparePeers } from './peers.ts'

const { values: options } = parseArgs({
  options: {
    rotations: { type: 'string', default: '2000' },
    agents: { type: 'string', default: '200' },
    only: { type: 'string' },
    agent: { type: 'string' },
    'agent-seconds': { type: 'string', default: '60' },
  },
})
const { isGood, tests } = await runTests({
  files: ['test/soak/soak.test.ts', 'test/soak/rolling-restart.test.ts'],
  provide: { soakRotations: Number(options.rotations), fleetAgents: Number(options.agents) },
  timeoutMs: 3_600_000,
  only: options.only,
})
const all = tests.flatMap(({ name, meta }) => {
  const figures = meta.soak ?? meta.fleet ?? meta.rolling
  return figures === undefined ? [] : [[name, figures]]
})
const peers = options.agent === undefined ? {} : await comparePeers(options.agent, Number(options['agent-seconds']))
process.stdout.write(`${JSON.stringify({ ...(Object.fromEntries(all) as object), ...peers }, null, 2)}\n`)
process.exitCode = isGood ? 0 : 1
