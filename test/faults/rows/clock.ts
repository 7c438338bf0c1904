/** Owns the jumps of the wall clock. The agent runs inside the test's process here: only there has it a clock of its own. */
import { createTestNode } from '../../integration/agent/lab.ts'
import { startAgent } from '../../support/agent-in-process.ts'
import { createFakeClock } from '../../support/fake-clock.ts'
import { startFaultProxy } from '../../support/fault-proxy.ts'
import type { MatrixRow } from '../row.ts'
import { watchDirectory } from '../watch.ts'

const group = 'clock'
const hourMs = 3_600_000
const minuteMs = 60_000
const minutes = 10

function jump(name: string, ms: number): MatrixRow {
  return {
    group,
    name: `${name} (agent in process)`,
    async run({ lab, node, onEnd }) {
      const proxy = await startFaultProxy(lab.vault)
      onEnd(() => proxy.stop())
      const { environment, directory } = createTestNode(lab, { node, at: proxy, onEnd })
      const clock = createFakeClock()
      const agent = await startAgent(environment, { clock, onEnd })
      await agent.nextEvent('published')
      const watch = watchDirectory(directory, `calico-node:${node}`)
      onEnd(() => watch.stop())

      await clock.nextSleep()
      const asked = proxy.requests.length
      clock.setWall(clock.now() + ms)
      await clock.pass(minutes * minuteMs)
      agent.renewNow()
      await agent.nextEvent('published', ({ reason }) => reason === 'renewal-requested')
      watch.stop()

      const requestsPerMinute = Math.ceil((proxy.requests.length - asked) / minutes)
      const skew = await agent.metric('clock_skew_seconds')
      const problems = [
        ...watch.bad,
        ...(watch.lost > 0 ? [`nothing complete to read, ${watch.lost} times`] : []),
        ...(requestsPerMinute <= 2 ? [] : [`${requestsPerMinute} requests a minute`]),
        ...(Math.abs((skew ?? 0) * 1000 - (Date.now() - clock.now())) < minuteMs
          ? []
          : [`told as a skew of ${skew} s`]),
      ]
      const outcome = `judged by Vault's clock; told as clock_skew_seconds ${Math.round(-ms / 1000)}`
      return { group, name, outcome, requestsPerMinute, lost: watch.lost, bad: watch.bad.length, problems }
    },
  }
}

export const clockRows: readonly MatrixRow[] = [
  jump('forward a year', 365 * 24 * hourMs),
  jump('back an hour', -hourMs),
]
