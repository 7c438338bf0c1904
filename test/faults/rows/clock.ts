/** Owns the jumps of the wall clock. The agent runs inside the test's process here: only there has it a clock of its own. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createTestNode } from '../../integration/agent/lab.ts'
import { startAgent } from '../../support/agent-in-process.ts'
import { createCa } from '../../support/certificates.ts'
import { createFakeClock } from '../../support/fake-clock.ts'
import { startFaultProxy } from '../../support/fault-proxy.ts'
import { tempDir } from '../../support/temp-dir.ts'
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

/**
 * What stands before Vault writes another date on each answer, and then answers itself with it, while a static Secret lies ready. The
 * node's own clock may be wrong as well.
 */
function middleBox(name: string, dateOffMs: number, nodeOffMs = 0): MatrixRow {
  return {
    group,
    name: `${name} (agent in process)`,
    async run({ lab, node, onEnd }) {
      const proxy = await startFaultProxy(lab.vault)
      onEnd(() => proxy.stop())
      const bootstrap = tempDir(onEnd)
      await writeStatic(bootstrap)
      const date = (): string => new Date(Date.now() + dateOffMs).toUTCString()
      proxy.setFault({
        onAnswer: (client, answer) =>
          client.write(Buffer.from(answer.toString('latin1').replace(/^date: .*$/im, `Date: ${date()}`), 'latin1')),
      })
      const env = { AGENT_BOOTSTRAP_DIR: bootstrap }
      const { environment, directory } = createTestNode(lab, { node, at: proxy, env, onEnd })
      const clock = createFakeClock(Date.now() + nodeOffMs)
      const agent = await startAgent(environment, { clock, onEnd })
      await agent.nextEvent('published', ({ reason }) => reason === 'never-published')
      const watch = watchDirectory(directory, `calico-node:${node}`)
      onEnd(() => watch.stop())
      await clock.nextSleep()
      const asked = proxy.requests.length

      const lost = '<html>503</html>'
      const head = `HTTP/1.1 503 Service Unavailable\r\nDate: ${date()}\r\nContent-Type: text/html\r\nContent-Length: ${lost.length}`
      proxy.setFault({ onRequest: (client) => client.write(`${head}\r\n\r\n${lost}`) })
      agent.renewNow()
      await agent.nextEvent('renewal-failed')
      await clock.nextSleep()
      await clock.pass(minutes * minuteMs)
      const requestsPerMinute = Math.ceil((proxy.requests.length - asked) / minutes)
      proxy.setFault(undefined)
      agent.renewNow()
      await agent.nextEvent('published', ({ reason }) => reason === 'renewal-requested')
      watch.stop()

      const restored = agent.events.filter(
        (event) => event.type === 'published' && event.reason.startsWith('restored-'),
      )
      const problems = [
        ...watch.bad,
        ...(watch.lost > 0 ? [`nothing complete to read, ${watch.lost} times`] : []),
        ...(restored.length === 0 ? [] : ['a static certificate was published over one that works']),
      ]
      const outcome = 'its dates count for nothing; what is published stays'
      return { group, name, outcome, requestsPerMinute, lost: watch.lost, bad: watch.bad.length, problems }
    },
  }
}

async function writeStatic(directory: string): Promise<void> {
  const dates = { notBefore: new Date(0), notAfter: new Date('2200-01-01T00:00:00Z') }
  const ca = await createCa({ commonName: 'Static CA', ...dates })
  const { certificatePem, privateKeyPem } = await ca.issue({ commonName: 'calico', ...dates })
  writeFileSync(join(directory, 'etcd-ca'), ca.certificatePem)
  writeFileSync(join(directory, 'etcd-cert'), certificatePem)
  writeFileSync(join(directory, 'etcd-key'), privateKeyPem)
}

export const clockRows: readonly MatrixRow[] = [
  jump('forward a year', 365 * 24 * hourMs),
  jump('back an hour', -hourMs),
  middleBox('an ingress is 60 s behind', -minuteMs),
  middleBox('an ingress is two days ahead', 48 * hourMs),
  middleBox('an ingress is two days ahead, the node an hour behind', 48 * hourMs, -hourMs),
  middleBox('the node is two days ahead, and so Vault is two days behind it', 0, 48 * hourMs),
  middleBox('the node is two days behind, and so Vault is two days ahead of it', 0, -48 * hourMs),
]
