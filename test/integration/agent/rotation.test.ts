/** Proves the life of a certificate: rotated in time, kept over a restart, its key reused as configured, one login for all targets. */
import { mkdirSync, readFileSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { startAgent } from '../../support/agent-in-process.ts'
import { createFakeClock } from '../../support/fake-clock.ts'
import { createTestNode, describeEachVault } from './lab.ts'
import { readPublished, snapshot } from './published.ts'
import { startVaultFront } from './vault-front.ts'

const hourMs = 3_600_000

describeEachVault('rotation', {}, (lab) => {
  it('certificates of five seconds are rotated by themselves, each before the last one ends', async () => {
    const { environment, directory } = createTestNode(lab(), { env: { AGENT_TTL: '5s' } })
    const agent = await startAgent(environment)
    let { certificate } = await agent.nextEvent('published', ({ reason }) => reason === 'never-published')
    for (let round = 0; round < 2; round++) {
      const next = await agent.nextEvent('published', ({ reason }) => reason === 'renewal-due')
      expect(Date.now()).toBeLessThan(certificate.notAfterMs)
      // The first slot may come within the second of the issue.
      expect(next.certificate.notAfterMs).toBeGreaterThanOrEqual(certificate.notAfterMs)
      expect(next.certificate.serialNumber).not.toBe(certificate.serialNumber)
      expect(readPublished(directory).leaf.serialNumber).toBe(next.certificate.serialNumber)
      certificate = next.certificate
    }
    expect(agent.events.filter(({ type }) => type === 'renewal-failed')).toEqual([])
    expect(agent.events.filter(({ type }) => type === 'login')).toHaveLength(1)
  })

  it('certificates of a day are renewed in their slot and not before', async () => {
    const clock = createFakeClock()
    const front = await startVaultFront(lab().vault)
    front.now = () => clock.now()
    const { environment } = createTestNode(lab(), { at: front })
    const agent = await startAgent(environment, { clock })
    const { certificate } = await agent.nextEvent('published')
    const waitMs = certificate.renewAtMs - clock.now()
    expect(waitMs).toBeLessThan(24 * 0.9 * hourMs)
    await clock.nextSleep()
    // All at once, as while a machine sleeps; then from one look at the clock to the next.
    clock.advance(waitMs - 60_000)
    await clock.nextSleep()
    await clock.pass(20_000)
    expect(agent.events.filter(({ type }) => type === 'issued')).toHaveLength(1)
    await clock.pass(45_000)
    expect(await agent.nextEvent('published', ({ reason }) => reason === 'renewal-due')).toMatchObject({
      certificate: { serialNumber: expect.not.stringContaining(certificate.serialNumber) as string },
    })
  })

  it('a restart with a good certificate asks Vault for nothing', async () => {
    const front = await startVaultFront(lab().vault)
    const { environment, directory } = createTestNode(lab(), { at: front })
    const first = await startAgent(environment)
    const { certificate } = await first.nextEvent('published')
    await first.stop()
    const before = snapshot(directory)
    const connections = front.connections
    front.requests.length = 0

    const clock = createFakeClock()
    const second = await startAgent(environment, { clock })
    const found = await second.nextEvent('found')
    expect(found.certificate.serialNumber).toBe(certificate.serialNumber)
    // The restart decides nothing anew; the moment of the issue is known only up to the backdating.
    expect(Math.abs(found.certificate.renewAtMs - certificate.renewAtMs)).toBeLessThan(60_000)
    await clock.nextSleep()
    expect(front.requests).toEqual([])
    expect(front.connections).toBe(connections)
    expect(second.events.filter(({ type }) => type === 'vault-request')).toEqual([])
    expect(snapshot(directory)).toEqual(before)
    expect(second.probe('readyz').ok).toBe(true)
  })

  it('a rotation with a live token asks for the issuers and one signature', async () => {
    const front = await startVaultFront(lab().vault)
    const { environment } = createTestNode(lab(), { at: front })
    const agent = await startAgent(environment)
    await agent.nextEvent('published')
    const start = front.requests.map(({ path }) => path)
    expect(start).toEqual([
      'pki/issuers?list=true',
      expect.stringMatching(/^pki\/issuer\/[-0-9a-f]+\/json$/),
      'auth/jwt/login',
      'pki/sign/calico-node',
    ])
    front.requests.length = 0
    agent.renewNow()
    await agent.nextEvent('published', ({ reason }) => reason === 'renewal-requested')
    expect(front.requests.map(({ path }) => path)).toEqual(['pki/issuers?list=true', 'pki/sign/calico-node'])
  })

  it('the key is kept for as many rotations as configured, and not over a restart', async () => {
    const { environment, directory } = createTestNode(lab(), { env: { AGENT_KEY_REUSE: '2' } })
    const agent = await startAgent(environment)
    const keys: string[] = []
    const reused: boolean[] = []
    for (let round = 0; round < 5; round++) {
      reused.push((await agent.nextEvent('issued')).keyReused)
      await agent.nextEvent('published')
      keys.push(readPublished(directory).key)
      agent.renewNow()
    }
    await agent.nextEvent('published')
    expect(reused).toEqual([false, true, true, false, true])
    expect(keys.map((key) => keys.indexOf(key))).toEqual([0, 0, 0, 3, 3])
    await agent.stop()
    const restarted = await startAgent(environment)
    await restarted.nextEvent('found')
    restarted.renewNow()
    expect(await restarted.nextEvent('issued')).toMatchObject({ keyReused: false })
  })

  it('files that somebody removes, changes or opens up are put right at once, without Vault', async () => {
    const front = await startVaultFront(lab().vault)
    const { environment, directory } = createTestNode(lab(), { at: front })
    // Nobody moves this clock: what is noticed is noticed by the watch.
    const agent = await startAgent(environment, { clock: createFakeClock(), watch: true })
    await agent.nextEvent('published')
    const { cert, key } = readPublished(directory)
    front.requests.length = 0
    unlinkSync(join(directory, 'etcd-key'))
    await agent.nextEvent('published', ({ reason }) => reason === 'attributes-changed')
    rmSync(join(directory, '..data'))
    await agent.nextEvent('published', ({ reason }) => reason === 'files-changed')
    writeFileSync(join(directory, 'other'), 'x')
    renameSync(join(directory, 'other'), join(directory, 'etcd-cert'))
    await agent.nextEvent('published', ({ reason }) => reason === 'attributes-changed')
    expect(readPublished(directory)).toMatchObject({ cert, key })
    expect(readFileSync(join(directory, 'etcd-cert'), 'utf8')).toBe(cert)
    expect(front.requests).toEqual([])
  })

  it('two targets get a certificate each, with one login and one look at the issuers', async () => {
    const front = await startVaultFront(lab().vault)
    const { environment, root } = createTestNode(lab(), { at: front, env: { AGENT_DIR: undefined } })
    const directories = ['calico-node', 'calico-cni'].map((name) => join(root, name))
    for (const directory of directories) mkdirSync(directory)
    const targets = `calico-node=${directories[0]},calico-cni=${directories[1]}`
    const agent = await startAgent({ ...environment, AGENT_TARGETS: targets })
    await agent.nextEvent('published')
    expect(agent.probe('startupz').ok).toBe(false)
    await agent.nextEvent('published')
    expect(agent.probe('startupz').ok).toBe(true)
    expect(directories.map((directory) => readPublished(directory).commonName)).toEqual([
      'calico-node:node1',
      'calico-cni:node1',
    ])
    const asked = front.requests.map(({ path }) => path.replace(/issuer\/.*/, 'issuer'))
    expect(asked.toSorted()).toEqual([
      'auth/jwt/login',
      'pki/issuer',
      'pki/issuers?list=true',
      'pki/sign/calico-cni',
      'pki/sign/calico-node',
    ])
    expect(front.connections).toBeLessThanOrEqual(1)
  })
})
