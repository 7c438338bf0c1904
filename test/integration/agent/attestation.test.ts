/**
 * Proves node attestation with the recommended configuration (jwt, the node's name as alias, a PKI role with a template): a node
 * gets its own name and no other, and the gate refuses what Vault would sign all the same.
 */
import { expect, it } from 'vitest'
import { startAgent } from '../../support/agent-in-process.ts'
import { spawnAgent } from '../../support/agent-process.ts'
import type { ServiceAccountTokenOptions } from '../../support/service-account.ts'
import { createTestNode, describeEachVault } from './lab.ts'
import { entriesOf, readPublished, snapshot } from './published.ts'
import { startVaultFront } from './vault-front.ts'

const refusedTokens: Readonly<Record<string, readonly [ServiceAccountTokenOptions, RegExp]>> = {
  'no node claim': [{ omit: ['node'] }, /claim "\/kubernetes.io\/node\/name" not found in token/],
  'no pod claim': [{ omit: ['pod'] }, /claim "\/kubernetes.io\/pod\/name" is missing/],
  'the pod of another workload': [{ pod: 'web-1' }, /pod\/name" does not match/],
  'another service account': [{ serviceAccount: 'default', pod: 'calico-node-x' }, /invalid subject/],
  'another audience': [{ audience: 'https://kubernetes.default.svc' }, /invalid audience/],
  'a forged signature': [{ isForged: true }, /no known key successfully validated/],
}

describeEachVault('jwt node attestation', {}, (lab) => {
  it('another node’s name is refused by Vault: nothing is written, and the reason is told', async () => {
    const { environment, directory } = createTestNode(lab(), { env: { AGENT_COMMON_NAME: 'calico-node:node2' } })
    const agent = await startAgent(environment)
    expect(await agent.nextEvent('renewal-failed')).toMatchObject({
      reason: 'vault-request-refused',
      detail: expect.stringContaining('common name calico-node:node2 not allowed by this role') as string,
      notAfterMs: undefined,
    })
    expect(entriesOf(directory)).toEqual([])
    expect(agent.probe('startupz').ok).toBe(false)
    expect(agent.probe('readyz').ok).toBe(false)
    expect(agent.probe('livez').ok).toBe(true)
    expect(await agent.metric('renewal_failures_total{component="calico-node",reason="vault-request-refused"}')).toBe(1)
  })

  it('init on another node’s name ends with 69 and says why', async () => {
    const { environment, directory } = createTestNode(lab(), { env: { AGENT_COMMON_NAME: 'calico-node:node2' } })
    const agent = spawnAgent(environment, { args: ['init'] })
    await agent.nextLine(({ reason }) => reason === 'vault-request-refused')
    agent.signal('SIGTERM')
    expect(await agent.ended).toEqual({ code: 69, signal: null })
    expect(agent.stderr()).toMatch(
      /^calico-vault-agent: Vault refused the request \(vault-request-refused\)\n {2}POST https:\S+ 400 common name calico-node:node2 not allowed by this role\n {2}Compare the message with the PKI role\.\n {2}More: docs\/runbook\.md#vault-request-refused\n$/,
    )
    expect(entriesOf(directory)).toEqual([])
  })

  it('the certificate in place stays, byte for byte, when the name becomes another node’s', async () => {
    const { environment, directory } = createTestNode(lab())
    const first = await startAgent(environment)
    await first.nextEvent('published')
    await first.stop()
    const before = snapshot(directory)
    const agent = await startAgent({ ...environment, AGENT_COMMON_NAME: 'calico-node:node2' })
    expect(await agent.nextEvent('renewal-failed')).toMatchObject({ reason: 'vault-request-refused' })
    expect(snapshot(directory)).toEqual(before)
  })

  it.each(['node2', 'NODE1'])(
    'NODE_NAME=%s with the token of node1: Vault is not even asked to log in',
    async (name) => {
      const { environment, directory } = createTestNode(lab(), { env: { NODE_NAME: name } })
      const agent = await startAgent(environment)
      expect(await agent.nextEvent('renewal-failed')).toMatchObject({
        reason: 'wrong-node',
        detail: expect.stringContaining(`is bound to node1, NODE_NAME is ${name}`) as string,
      })
      expect(entriesOf(directory)).toEqual([])
    },
  )

  it('a name in another case is signed by Vault and refused by the gate', async () => {
    const front = await startVaultFront(lab().vault)
    const { environment, directory } = createTestNode(lab(), { at: front })
    front.rewrite = (_path, body) => body.replace('"calico-node:node1"', '"CALICO-NODE:NODE1"')
    const agent = await startAgent(environment)
    const { serialNumber } = await agent.nextEvent('issued')
    expect(serialNumber).toMatch(/^[0-9A-F]+$/)
    expect(await agent.nextEvent('renewal-failed')).toMatchObject({
      reason: 'wrong-name',
      detail: 'the certificate is for "CALICO-NODE:NODE1", wanted is "calico-node:node1"',
    })
    expect(entriesOf(directory)).toEqual([])
    expect(await agent.metric('gate_rejections_total{component="calico-node",reason="wrong-name"}')).toBe(1)
    front.rewrite = (_path, body) => body
    agent.renewNow()
    await agent.nextEvent('published')
    expect(readPublished(directory).commonName).toBe('calico-node:node1')
  })

  it.each(Object.entries(refusedTokens))('a token with %s does not log in', async (_, [token, text]) => {
    const { environment, directory } = createTestNode(lab(), { token })
    const agent = await startAgent(environment)
    expect(await agent.nextEvent('renewal-failed')).toMatchObject({
      reason: 'vault-login-refused',
      detail: expect.stringMatching(text) as string,
    })
    expect(entriesOf(directory)).toEqual([])
  })

  it('a token that has expired is told as that', async () => {
    const { environment, tokenFile } = createTestNode(lab(), {
      token: { startsInSeconds: -7200, expiresInSeconds: -600 },
    })
    const agent = await startAgent(environment)
    expect(await agent.nextEvent('renewal-failed')).toMatchObject({
      reason: 'credential-expired',
      detail: expect.stringMatching(`^${tokenFile} expired at 20`) as string,
    })
  })

  it('two nodes that renew at the same time, again and again, never get each other’s name', async () => {
    const env = { AGENT_ISSUANCE_BUDGET: 'off' }
    const nodes = ['node1', 'node2'].map((node) => ({ node, ...createTestNode(lab(), { node, env }) }))
    const agents = await Promise.all(nodes.map(({ environment }) => startAgent(environment)))
    const serials = new Set<string>()
    for (let round = 0; round < 15; round++) {
      await Promise.all(agents.map((agent) => agent.nextEvent('published')))
      for (const { node, directory } of nodes) {
        const { commonName, leaf } = readPublished(directory)
        expect(commonName).toBe(`calico-node:${node}`)
        serials.add(leaf.serialNumber)
      }
      for (const agent of agents) agent.renewNow()
    }
    expect(serials.size).toBe(30)
    expect(agents.flatMap(({ events }) => events).filter(({ type }) => type === 'renewal-failed')).toEqual([])
  })
})
