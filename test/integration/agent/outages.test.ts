/**
 * Proves that what happens to Vault in the middle (sealed, away, another certificate, another CA, a token or a policy taken away)
 * costs the published files nothing, is told as what it is, and ends as soon as it is over.
 */
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { type AgentInProcess, startAgent } from '../../support/agent-in-process.ts'
import { createFakeClock } from '../../support/fake-clock.ts'
import { createTestNode, describeEachVault, type Lab } from './lab.ts'
import { entriesOf, project, readPublished, snapshot } from './published.ts'
import { startVaultFront } from './vault-front.ts'

const minuteMs = 60_000

describeEachVault('outages', { tokenType: 'service' }, (lab) => {
  it('sealed and unsealed in the middle', async () => {
    const clock = createFakeClock()
    const { environment, directory } = createTestNode(lab())
    const agent = await startAgent(environment, { clock })
    await agent.nextEvent('published')
    const before = snapshot(directory)
    await lab().vault.seal()
    try {
      agent.renewNow()
      expect(await agent.nextEvent('renewal-failed')).toMatchObject({ reason: 'vault-sealed' })
      expect(snapshot(directory)).toEqual(before)
      expect(agent.probe('readyz')).toMatchObject({
        ok: true,
        body: { targets: [{ ready: true, failure: { reason: 'vault-sealed', advice: 'Unseal Vault.' } }] },
      })
      // One more try meets the same.
      await clock.nextSleep()
      clock.advance(10_000)
      await agent.nextEvent('renewal-failed')
    } finally {
      await lab().vault.unseal()
      await untilActive(lab())
    }
    await clock.nextSleep()
    clock.advance(minuteMs)
    await agent.nextEvent('published', ({ reason }) => reason === 'renewal-requested')
    expect(snapshot(directory)).not.toEqual(before)
    expect(agent.probe('readyz').body).not.toHaveProperty(['targets', 0, 'failure'])
    expect(await agent.metric('next_try_timestamp_seconds{component="calico-node"}')).toBe(0)
  })

  it('sealed at the first start: nothing is written, and it starts when it is unsealed', async () => {
    const clock = createFakeClock()
    const { environment, directory } = createTestNode(lab())
    await lab().vault.seal()
    let agent: AgentInProcess
    try {
      agent = await startAgent(environment, { clock })
      expect(await agent.nextEvent('renewal-failed')).toMatchObject({ reason: 'vault-sealed', notAfterMs: undefined })
      expect(entriesOf(directory)).toEqual([])
    } finally {
      await lab().vault.unseal()
      await untilActive(lab())
    }
    await clock.nextSleep()
    clock.advance(minuteMs)
    await agent.nextEvent('published', ({ reason }) => reason === 'never-published')
    expect(readPublished(directory).commonName).toBe('calico-node:node1')
  })

  it('a token that Vault has forgotten costs one new login', async () => {
    const front = await startVaultFront(lab().vault)
    const { environment } = createTestNode(lab(), { at: front })
    const agent = await startAgent(environment)
    await agent.nextEvent('published')
    const token = front.requests.find((request) => request.token !== undefined)?.token
    await lab().api.root('POST', 'auth/token/revoke', { token })
    agent.skipEvents()
    front.requests.length = 0
    agent.renewNow()
    await agent.nextEvent('published', ({ reason }) => reason === 'renewal-requested')
    expect(front.requests.map(({ path }) => path)).toEqual([
      'pki/issuers?list=true',
      'pki/sign/calico-node',
      'auth/jwt/login',
      'pki/sign/calico-node',
    ])
    expect(agent.events.filter(({ type }) => type === 'renewal-failed')).toEqual([])
  })

  it('a policy that is taken away costs one new login a try, until it is back', async () => {
    const front = await startVaultFront(lab().vault)
    const { environment, directory } = createTestNode(lab(), { at: front })
    const agent = await startAgent(environment, { clock: createFakeClock() })
    await agent.nextEvent('published')
    const before = snapshot(directory)
    const policy = 'sys/policies/acl/calico-node-pki'
    const { body } = await lab().api.root('GET', policy)
    await lab().api.root('DELETE', policy)
    try {
      front.requests.length = 0
      agent.renewNow()
      expect(await agent.nextEvent('renewal-failed')).toMatchObject({ reason: 'vault-denied' })
      expect(front.requests.filter(({ path }) => path === 'auth/jwt/login')).toHaveLength(1)
      expect(front.requests.filter(({ path }) => path === 'pki/sign/calico-node')).toHaveLength(2)
      expect(snapshot(directory)).toEqual(before)
    } finally {
      await lab().api.root('PUT', policy, { policy: body.data?.['policy'] })
    }
    agent.renewNow()
    await agent.nextEvent('published', ({ reason }) => reason === 'renewal-requested')
  })

  it('away, and back on the same port with another certificate of the same CA', async () => {
    const front = await startVaultFront(lab().vault)
    const clock = createFakeClock()
    const { environment, directory } = createTestNode(lab(), { at: front })
    const agent = await startAgent(environment, { clock })
    await agent.nextEvent('published')
    const before = snapshot(directory)
    await front.close()
    // The agent closes its connection one turn after the publication.
    await new Promise((resolve) => {
      setImmediate(resolve)
    })
    agent.renewNow()
    expect(await agent.nextEvent('renewal-failed')).toMatchObject({
      reason: 'vault-unreachable',
      detail: expect.stringContaining('ECONNREFUSED') as string,
    })
    expect(snapshot(directory)).toEqual(before)
    await front.open()
    await clock.nextSleep()
    clock.advance(minuteMs)
    await agent.nextEvent('published', ({ reason }) => reason === 'renewal-requested')
  })

  it('back with another CA: the new VAULT_CACERT counts at once, without a restart and without a retry', async () => {
    const front = await startVaultFront(lab().vault)
    const node = createTestNode(lab(), { at: front })
    const volume = join(node.root, 'vault-ca')
    const caFile = project(volume, 'ca.crt', front.caPem)
    // Nobody moves this clock: no retry comes by itself.
    const clock = createFakeClock()
    const agent = await startAgent({ ...node.environment, VAULT_CACERT: caFile }, { clock, watch: true })
    await agent.nextEvent('published')
    const before = snapshot(node.directory)
    await front.close()
    await front.open({ newCa: true })
    agent.renewNow()
    expect(await agent.nextEvent('renewal-failed')).toMatchObject({ reason: 'vault-tls' })
    expect(agent.log.at(-1)?.message).toContain('Check VAULT_CACERT')
    expect(snapshot(node.directory)).toEqual(before)
    project(volume, 'ca.crt', front.caPem)
    await agent.nextEvent('published', ({ reason }) => reason === 'renewal-requested')
    expect(snapshot(node.directory)).not.toEqual(before)
  })

  it('silent: the deadline ends the request', async () => {
    const front = await startVaultFront(lab().vault)
    const { environment, directory } = createTestNode(lab(), { at: front, env: { VAULT_CLIENT_TIMEOUT: '200ms' } })
    const agent = await startAgent(environment, { clock: createFakeClock() })
    await agent.nextEvent('published')
    const before = snapshot(directory)
    front.isSilent = true
    agent.renewNow()
    expect(await agent.nextEvent('renewal-failed')).toMatchObject({
      reason: 'vault-timeout',
      detail: expect.stringContaining('no complete answer within 200 ms') as string,
    })
    expect(snapshot(directory)).toEqual(before)
    front.isSilent = false
    agent.renewNow()
    await agent.nextEvent('published', ({ reason }) => reason === 'renewal-requested')
  })
})

/** After the unseal a server takes over as the active one in its own time. */
async function untilActive({ api }: Lab): Promise<void> {
  await expect.poll(async () => (await api.call('GET', 'sys/health')).status).toBe(200)
}
