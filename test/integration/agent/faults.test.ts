/**
 * Proves on a running process that no answer of Vault, however wrong, touches what is published: the reason can be seen in the
 * log, in /readyz and in the metrics, and the next good answer ends it.
 */
import { afterEach, describe, expect, it } from 'vitest'
import { type AgentProcess, type LoggedLine, spawnAgent } from '../../support/agent-process.ts'
import { type DevVault, startDevVault } from '../../support/dev-vault/dev-vault.ts'
import type { Fault } from '../../support/dev-vault/faults.ts'
import { at } from '../../support/https-json.ts'
import { createTestNode, type Lab, withLab } from './lab.ts'
import { readPublished, snapshot } from './published.ts'

const sign = 'pki/sign/calico-node'

/** What happens to the signature, the reason that is told, and words of the detail. */
const faults: Readonly<Record<string, readonly [Fault, string, RegExp]>> = {
  'too late': [{ latencyMs: 600, status: 200 }, 'vault-timeout', /no complete answer within 300 ms/],
  'no answer at all': [{ hang: true }, 'vault-timeout', /no complete answer within 300 ms/],
  'an answer that is cut off': [{ truncate: 60 }, 'vault-connection-lost', /sign\/calico-node/],
  'an answer that is cut off before its body': [{ truncate: 0 }, 'vault-connection-lost', /sign\/calico-node/],
  'a connection that is reset': [{ reset: true }, 'vault-connection-lost', /sign\/calico-node/],
  'an answer of 2 MiB': [{ oversize: 2 * 1024 * 1024 }, 'vault-answer-too-large', /sign\/calico-node/],
  'a web page': [{ body: '<html>Please log in</html>' }, 'vault-bad-answer', /the answer is not JSON/],
  'JSON of another shape': [{ body: { data: { certificate: 1 } } }, 'vault-bad-answer', /data.certificate/],
  'no certificate in the PEM': [{ body: { data: { certificate: 'none' } } }, 'malformed', /sign\/calico-node/],
  'an internal error': [{ status: 500, body: { errors: ['boom'] } }, 'vault-server-error', /500 boom/],
  'a bad gateway': [{ status: 502, body: '<h1>Bad gateway</h1>' }, 'vault-server-error', /502$/],
  'a standby': [{ status: 473 }, 'vault-standby', /473/],
  'a redirect elsewhere': [{ redirect: 'https://vault.example.org/v1/x' }, 'vault-redirect', /307/],
  'a redirect that never ends': [{ redirect: `/v1/${sign}` }, 'vault-redirect', /307/],
}

/** To the transport these were good answers. */
const notOfTheTransport = ['malformed']

describe('faults: the development Vault', () => {
  let dev: DevVault
  const start = async (): Promise<DevVault> => {
    dev = await startDevVault()
    return dev
  }
  afterEach(() => dev.faults.clear())
  withLab(start, {}, (lab) => {
    it.each(Object.entries(faults))('%s', async (name, [fault, reason, detail]) => {
      const { agent, directory } = await publishOnce(lab())
      const before = snapshot(directory)
      const remove = dev.faults.inject({ match: sign, ...fault })
      agent.signal('SIGHUP')
      const kept = await agent.nextLine(isKept)
      const level = notOfTheTransport.includes(reason) ? 'warn' : 'info'
      expect(kept).toMatchObject({ level, component: 'calico-node', reason })
      expect(kept.error).toMatch(detail)
      expect(kept.msg).toMatch(/the published certificate is kept, valid for (1d|23h 59m); next try in /)
      expect(snapshot(directory)).toEqual(before)
      const ready = await agent.ask('/readyz')
      expect([ready.status, at(JSON.parse(ready.text), 'targets', '0', 'failure', 'reason')]).toEqual([200, reason])
      const metrics = (await agent.ask('/metrics')).text
      const isAnswer = !notOfTheTransport.includes(reason) && !name.startsWith('JSON')
      expect(metrics).toContain(`renewal_failures_total{component="calico-node",reason="${reason}"} 1
`)
      expect(
        metrics.includes(`vault_requests_total{operation="sign",outcome="${reason}"} 1
`),
      ).toBe(isAnswer)

      remove()
      agent.signal('SIGHUP')
      await agent.nextLine(isPublished)
      expect(readPublished(directory).cert).not.toBe(before['cert'])
      const after = JSON.parse((await agent.ask('/readyz')).text) as unknown
      expect(at(after, 'targets', '0', 'failure')).toBeUndefined()
    })

    it('429: Retry-After is honored', async () => {
      const { agent, directory } = await publishOnce(lab())
      const before = snapshot(directory)
      dev.faults.inject({
        match: sign,
        times: 1,
        status: 429,
        headers: { 'Retry-After': '120' },
        body: { errors: ['request path "pki/sign/calico-node": rate limit quota exceeded'] },
      })
      agent.signal('SIGHUP')
      const kept = await agent.nextLine(isKept)
      expect(kept).toMatchObject({ reason: 'vault-rate-limited' })
      const delayMs = Date.parse(String(kept['retryAt'])) - Date.parse(String(kept['time']))
      expect(delayMs).toBeGreaterThanOrEqual(119_500)
      expect(delayMs).toBeLessThan(133_000)
      expect(snapshot(directory)).toEqual(before)
    })

    it('one redirect on the same origin is followed', async () => {
      const { agent, directory } = await publishOnce(lab())
      const { generation } = snapshot(directory)
      dev.requests.clear()
      dev.faults.inject({ match: sign, times: 1, redirect: `${dev.address}/v1/${sign}` })
      agent.signal('SIGHUP')
      await agent.nextLine(isPublished)
      expect(dev.requests.to(sign).map(({ status }) => status)).toEqual([307, 200])
      expect(snapshot(directory)['generation']).not.toBe(generation)
    })

    it('a failed look at the login does not lose the certificate either, and is told as a login', async () => {
      const { agent, directory } = await publishOnce(lab())
      const before = snapshot(directory)
      dev.faults.inject({ match: sign, times: 1, status: 403, body: { errors: ['permission denied'] } })
      const remove = dev.faults.inject({ match: 'auth/', status: 400, body: { errors: ['no'] } })
      agent.signal('SIGHUP')
      expect(await agent.nextLine(isKept)).toMatchObject({ reason: 'vault-login-refused' })
      expect(snapshot(directory)).toEqual(before)
      remove()
    })
  })
})

const isKept = ({ event }: LoggedLine): boolean => event === 'renewal-failed'
const isPublished = ({ event }: LoggedLine): boolean => event === 'published'

async function publishOnce(lab: Lab): Promise<{ agent: AgentProcess; directory: string }> {
  const { environment, directory } = createTestNode(lab, { env: { VAULT_CLIENT_TIMEOUT: '300ms' } })
  const agent = spawnAgent(environment)
  await agent.nextLine(isPublished)
  return { agent, directory }
}
