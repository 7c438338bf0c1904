/** Proves the first start without Vault: it is told within moments, what is cached serves meanwhile, and Vault takes over when it appears. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { startAgent } from '../../support/agent-in-process.ts'
import { type LoggedLine, spawnAgent } from '../../support/agent-process.ts'
import { createCa } from '../../support/certificates.ts'
import { freePort } from '../../support/child-server.ts'
import { createFakeClock } from '../../support/fake-clock.ts'
import { at } from '../../support/https-json.ts'
import { createTestNode, describeEachVault } from './lab.ts'
import { entriesOf, project, readPublished } from './published.ts'
import { startVaultFront } from './vault-front.ts'

const minuteMs = 60_000

describeEachVault('first start', {}, (lab) => {
  it('without Vault: the probes say so, the metrics are there, and nothing is written', async () => {
    const { environment, directory } = createTestNode(lab(), {
      env: { VAULT_ADDR: `https://127.0.0.1:${await freePort()}` },
    })
    const agent = spawnAgent(environment)
    await agent.nextLine(({ event }) => event === 'listening')
    const [startup, live, ready] = await Promise.all(['/startupz', '/livez', '/readyz'].map((path) => agent.ask(path)))
    expect([startup?.status, live?.status, ready?.status]).toEqual([503, 200, 503])
    expect(at(JSON.parse(ready?.text ?? ''), 'targets', '0')).toMatchObject({
      component: 'calico-node',
      directory,
      commonName: 'calico-node:node1',
      ready: false,
      why: 'no certificate has been published',
      failure: { reason: 'vault-unreachable', says: 'Vault cannot be reached' },
    })
    const { status, text } = await agent.ask('/metrics')
    expect(status).toBe(200)
    expect(text).toMatch(/vault_requests_total\{operation="issuers",outcome="vault-unreachable"\} [1-9]/)
    expect(text).toContain('certificate_runway_seconds{component="calico-node"} 0\n')
    expect(entriesOf(directory)).toEqual([])
  })

  it('a Vault that accepts and stays silent is no different: the server is there before the deadline', async () => {
    const front = await startVaultFront(lab().vault)
    front.isSilent = true
    const { environment } = createTestNode(lab(), { at: front })
    const agent = spawnAgent(environment)
    const statuses = await Promise.all(['/startupz', '/livez', '/metrics'].map(async (path) => await agent.ask(path)))
    expect(statuses.map(({ status }) => status)).toEqual([503, 200, 200])
    expect(agent.lines.filter(({ event }) => event === 'renewal-failed')).toEqual([])
  })

  it('Vault appears: it is found by the retries alone', async () => {
    const port = await freePort()
    const node = createTestNode(lab(), { env: { VAULT_ADDR: `https://127.0.0.1:${port}` } })
    const caFile = join(node.root, 'ca.pem')
    writeFileSync(caFile, lab().vault.caPem)
    const agent = spawnAgent({ ...node.environment, VAULT_CACERT: caFile })
    await agent.nextLine(({ reason }) => reason === 'vault-unreachable')
    const front = await startVaultFront(lab().vault, { port })
    writeFileSync(caFile, front.caPem)
    const isPublished = ({ event }: LoggedLine): boolean => event === 'published'
    expect(await agent.nextLine(isPublished)).toMatchObject({ reason: 'never-published' })
    expect(readPublished(node.directory).commonName).toBe('calico-node:node1')
    expect((await agent.ask('/startupz')).status).toBe(200)
  })

  it('the cache of the node serves a new pod, without any Vault, for as long as it is not due', async () => {
    const front = await startVaultFront(lab().vault)
    const node = createTestNode(lab(), { at: front })
    const environment = { ...node.environment, AGENT_STATE_DIR: join(node.root, 'state') }
    const first = await startAgent(environment)
    const { certificate } = await first.nextEvent('published')
    await first.stop()
    await front.close()

    const empty = join(node.root, 'empty')
    mkdirSync(empty)
    const clock = createFakeClock()
    const second = await startAgent({ ...environment, AGENT_DIR: empty }, { clock })
    const restored = await second.nextEvent('published')
    expect(restored).toMatchObject({
      reason: 'restored-from-state',
      certificate: { serialNumber: certificate.serialNumber },
    })
    expect(readPublished(empty).cert).toBe(readPublished(node.directory).cert)
    expect(second.events.filter(({ type }) => type === 'vault-request')).toEqual([])
    expect(second.probe('startupz').ok && second.probe('readyz').ok).toBe(true)
    // When it is due, Vault is asked; that it is away endangers nothing yet.
    await clock.nextSleep()
    clock.advance(certificate.renewAtMs - clock.now() + 1000)
    await second.nextEvent('renewal-failed', ({ reason }) => reason === 'vault-unreachable')
    expect(readPublished(empty).leaf.serialNumber).toBe(certificate.serialNumber)
  })

  it('a cached certificate that is due is used only where Vault cannot be reached', async () => {
    const front = await startVaultFront(lab().vault)
    const node = createTestNode(lab(), { at: front })
    const environment = { ...node.environment, AGENT_STATE_DIR: join(node.root, 'state') }
    const first = await startAgent(environment)
    const { certificate } = await first.nextEvent('published')
    await first.stop()
    const clock = createFakeClock(certificate.renewAtMs + minuteMs)
    front.now = () => clock.now()

    const [one, other] = [join(node.root, 'one'), join(node.root, 'other')]
    mkdirSync(one)
    mkdirSync(other)
    await front.close()
    const alone = await startAgent({ ...environment, AGENT_DIR: one }, { clock })
    await alone.nextEvent('renewal-failed')
    await alone.nextEvent('published', ({ reason }) => reason === 'restored-from-state')
    expect(readPublished(one).leaf.serialNumber).toBe(certificate.serialNumber)
    await alone.stop()

    await front.open()
    const withVault = await startAgent({ ...environment, AGENT_DIR: other }, { clock })
    await withVault.nextEvent('published', ({ reason }) => reason === 'never-published')
    expect(readPublished(other).leaf.serialNumber).not.toBe(certificate.serialNumber)
  })

  it('a static Secret starts the node, and Vault takes over when it appears', async () => {
    const front = await startVaultFront(lab().vault)
    await front.close()
    const node = createTestNode(lab(), { at: front })
    const bootstrap = join(node.root, 'bootstrap')
    const ca = await createCa({ commonName: 'Static CA' })
    const secret = await ca.issue({ commonName: 'calico' })
    mkdirSync(bootstrap)
    project(bootstrap, 'etcd-ca', ca.certificatePem)
    for (const [name, content] of [
      ['etcd-ca', ca.certificatePem],
      ['etcd-cert', secret.certificatePem],
      ['etcd-key', secret.privateKeyPem],
    ] as const) {
      writeFileSync(join(bootstrap, '..data', name), content)
    }
    // Nobody moves this clock before the test wants the retry.
    const clock = createFakeClock()
    const agent = await startAgent({ ...node.environment, AGENT_BOOTSTRAP_DIR: bootstrap }, { clock })
    await agent.nextEvent('renewal-failed')
    await agent.nextEvent('published', ({ reason }) => reason === 'restored-from-bootstrap')
    expect(readPublished(node.directory)).toMatchObject({ commonName: 'calico', caNames: ['Static CA'] })
    expect(agent.probe('startupz').ok).toBe(true)
    expect(agent.probe('readyz').body).toMatchObject({ targets: [{ failure: { reason: 'vault-unreachable' } }] })

    await front.open()
    await clock.nextSleep()
    clock.advance(minuteMs)
    await agent.nextEvent('published', ({ reason }) => reason === 'never-published')
    // The static certificate may still be in use: its CA stays for now.
    expect(readPublished(node.directory)).toMatchObject({
      commonName: 'calico-node:node1',
      caNames: ['Calico etcd clients', 'Static CA'],
    })
    expect(agent.probe('readyz').body).not.toHaveProperty(['targets', 0, 'failure'])
  })
})
