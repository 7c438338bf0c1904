/** Proves the agent with a probe on a real etcd: what etcd does not accept is not published, and nothing that is needed is held back. */
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { locateServer } from '../../servers/locate.ts'
import { type AgentInProcess, startAgent } from '../../support/agent-in-process.ts'
import { spawnAgent } from '../../support/agent-process.ts'
import { createCa, type TestCa } from '../../support/certificates.ts'
import { type EtcdAuth, etcdAuth } from '../../support/etcd-auth.ts'
import { type RealEtcd, startRealEtcd } from '../../support/real-etcd.ts'
import { blackHole } from '../etcd-probe/places.ts'
import { createTestNode, describeEachVault, type TestNode } from './lab.ts'
import { entriesOf, readPublished, snapshot } from './published.ts'
import { startVaultFront } from './vault-front.ts'

const program = locateServer('etcd')
const leftOut = 'missing' in program ? ` (left out: ${program.missing})` : ''
const user = 'calico-node:node1'

describeEachVault(`the probe on a real etcd${leftOut}`, {}, (lab) => {
  describe.skipIf('missing' in program)('of one member', () => {
    let etcd: RealEtcd
    let auth: EtcdAuth
    let serverCa: TestCa
    beforeAll(async () => {
      serverCa = await createCa({ commonName: 'etcd servers' })
      etcd = await startRealEtcd({ clientCaPem: `${lab().setup.rootPem}\n`, serverCa })
      auth = etcdAuth(await etcd.client('root'))
      await auth.addRole('calico-node')
      await auth.grantPrefix('calico-node', 'readwrite', '/calico/')
      await auth.enable()
    })
    afterAll(() => etcd?.stop())
    beforeEach(async () => {
      if ((await auth.users()).includes(user)) await auth.deleteUser(user)
    })

    const addUser = async (): Promise<void> => {
      await auth.addUser(user)
      await auth.grantRole(user, 'calico-node')
    }
    const nodeWith = (env: Record<string, string | undefined> = {}, at = lab().vault): TestNode =>
      createTestNode(lab(), {
        at,
        env: {
          AGENT_ETCD_PROBE: 'require',
          ETCD_ENDPOINTS: etcd.endpoint,
          AGENT_ETCD_CA_FILE: etcd.caFile,
          ...env,
        },
      })
    const failureOf = (agent: AgentInProcess): unknown => agent.probe('readyz').body

    it('a good certificate is published, and every one after it', async () => {
      await addUser()
      const { environment, directory } = nodeWith()
      const agent = await startAgent(environment)
      for (let round = 0; round < 4; round++) {
        expect(await agent.nextEvent('probed')).toMatchObject({ outcome: 'accepted', verdict: 'publish' })
        const { certificate } = await agent.nextEvent('published')
        expect(readPublished(directory).leaf.serialNumber).toBe(certificate.serialNumber)
        agent.renewNow()
      }
      expect(agent.events.filter(({ type }) => type === 'renewal-failed')).toEqual([])
      expect(await agent.metric('etcd_unproven{component="calico-node"}')).toBe(0)
    })

    it('a first start before the user exists: said, tried again with the one certificate, published within seconds', async () => {
      const front = await startVaultFront(lab().vault)
      const { environment, directory } = createTestNode(lab(), { at: front, env: nodeWith().environment })
      const agent = await startAgent({ ...environment, VAULT_ADDR: front.address, VAULT_CACERT: front.caFile })
      for (let round = 0; round < 2; round++) {
        const kept = await agent.nextEvent('renewal-failed')
        expect(kept).toMatchObject({ reason: 'etcd-unknown-user', notAfterMs: undefined })
        expect(kept.detail).toBe(`${etcd.endpoint}: there is no user ${user}`)
        expect(kept.retryAtMs - Date.now()).toBeLessThan(10_000)
      }
      expect(failureOf(agent)).toMatchObject({
        targets: [
          { ready: false, failure: { reason: 'etcd-unknown-user', advice: expect.stringContaining('Add the user') } },
        ],
      })
      await auth.addUser(user)
      await agent.nextEvent('renewal-failed', ({ reason }) => reason === 'etcd-permission-denied')
      await auth.grantRole(user, 'calico-node')
      expect(await agent.nextEvent('published')).toMatchObject({ reason: 'never-published' })
      expect(front.requests.filter(({ path }) => path.startsWith('pki/sign/'))).toHaveLength(1)
      expect(readPublished(environment['AGENT_DIR'] ?? directory).commonName).toBe(user)
      expect(
        await agent.metric('gate_rejections_total{component="calico-node",reason="etcd-unknown-user"}'),
      ).toBeGreaterThan(1)
    })

    it('`warn` publishes it all the same, and says so', async () => {
      const { environment, directory } = nodeWith({ AGENT_ETCD_PROBE: 'warn' })
      const agent = await startAgent(environment)
      await agent.nextEvent('published')
      expect(agent.log).toContainEqual(
        expect.objectContaining({
          level: 'warn',
          message: expect.stringMatching(/^calico-node: etcd has no user .*; published anyway\. Add the user/),
        }),
      )
      expect(failureOf(agent)).toMatchObject({ ok: true, targets: [{ unproven: { reason: 'etcd-unknown-user' } }] })
      expect(await agent.metric('etcd_unproven{component="calico-node"}')).toBe(1)
      expect(readPublished(directory).commonName).toBe(user)
    })

    it('a rotation while the user is missing keeps what is published, byte for byte, until the user is back', async () => {
      await addUser()
      const { environment, directory } = nodeWith()
      const agent = await startAgent(environment)
      await agent.nextEvent('published')
      const before = snapshot(directory)
      await auth.deleteUser(user)
      agent.renewNow()
      await agent.nextEvent('renewal-failed', ({ reason }) => reason === 'etcd-unknown-user')
      expect(snapshot(directory)).toEqual(before)
      expect(agent.probe('readyz').ok).toBe(true)
      await addUser()
      expect(await agent.nextEvent('published')).toMatchObject({ reason: 'renewal-requested' })
      expect(agent.events.filter(({ type }) => type === 'issued')).toHaveLength(2)
    })

    it('a certificate of a CA that etcd does not know is not published', async () => {
      await addUser()
      await etcd.restart({ clientCaPem: '' })
      const { environment, directory } = nodeWith()
      const agent = await startAgent(environment)
      await agent.nextEvent('renewal-failed', ({ reason }) => reason === 'etcd-rejected-certificate')
      expect(entriesOf(directory)).toEqual([])
      await etcd.restart({ clientCaPem: `${lab().setup.rootPem}\n` })
      await agent.nextEvent('published')
      expect(agent.events.filter(({ type }) => type === 'issued')).toHaveLength(1)
    })

    it("the operator forgets the CA of etcd's servers: nothing is published before it is named", async () => {
      await addUser()
      const node = nodeWith({ AGENT_ETCD_CA_FILE: undefined })
      const agent = await startAgent(node.environment)
      const { detail } = await agent.nextEvent('renewal-failed', ({ reason }) => reason === 'etcd-untrusted-server')
      expect(detail).toContain(etcd.endpoint)
      expect(entriesOf(node.directory)).toEqual([])
      await agent.stop()
      const corrected = await startAgent({ ...node.environment, AGENT_ETCD_CA_FILE: etcd.caFile })
      await corrected.nextEvent('published')
      await corrected.stop()

      // Forgotten again: what is published holds the CA, and the rotation goes on with it.
      const forgetful = await startAgent(node.environment)
      await forgetful.nextEvent('found')
      forgetful.renewNow()
      await forgetful.nextEvent('ca-refresh-failed', ({ reason }) => reason === 'etcd-untrusted-server')
      await forgetful.nextEvent('published')
      expect(readPublished(node.directory).caNames).toEqual(['Calico etcd clients', 'etcd servers'])
    })

    it("etcd's servers get a CA that the agent was not told of: the old set stays until it is", async () => {
      await addUser()
      const node = nodeWith()
      const caFile = join(node.root, 'etcd-ca.pem')
      copyFileSync(etcd.caFile, caFile)
      const agent = await startAgent({ ...node.environment, AGENT_ETCD_CA_FILE: caFile }, { watch: true })
      await agent.nextEvent('published')
      const before = snapshot(node.directory)
      await etcd.restart({ serverCa: await createCa({ commonName: 'next etcd CA' }) })
      agent.renewNow()
      await agent.nextEvent('renewal-failed', ({ reason }) => reason === 'etcd-untrusted-server')
      expect(snapshot(node.directory)).toEqual(before)
      copyFileSync(etcd.caFile, caFile)
      await agent.nextEvent('published', ({ reason }) => reason === 'renewal-requested')
      expect(readPublished(node.directory).caNames).toContain('next etcd CA')
      await etcd.restart({ serverCa })
    })

    it('etcd is down: a renewal that has time waits for it', async () => {
      await addUser()
      const { environment, directory } = nodeWith()
      const agent = await startAgent(environment)
      await agent.nextEvent('published')
      const before = snapshot(directory)
      await etcd.kill()
      agent.renewNow()
      expect(await agent.nextEvent('renewal-failed')).toMatchObject({ reason: 'etcd-unheard' })
      expect(snapshot(directory)).toEqual(before)
      await etcd.restart()
      await agent.nextEvent('published', ({ reason }) => reason === 'renewal-requested')
      expect(agent.events.findLast(({ type }) => type === 'probed')).toMatchObject({ outcome: 'accepted' })
    })

    it('etcd is down: a renewal that is needed does not, nor does a first certificate', async () => {
      await addUser()
      await etcd.kill()
      const { environment, directory } = nodeWith({ AGENT_TTL: '5s' })
      const agent = await startAgent(environment)
      await agent.nextEvent('published', ({ reason }) => reason === 'never-published')
      for (let round = 0; round < 2; round++) {
        const { certificate } = await agent.nextEvent('published', ({ reason }) => reason === 'renewal-due')
        expect(readPublished(directory).leaf.serialNumber).toBe(certificate.serialNumber)
      }
      expect(agent.events.filter(({ type }) => type === 'renewal-failed')).toEqual([])
      expect(failureOf(agent)).toMatchObject({ ok: true, targets: [{ unproven: { reason: 'etcd-unheard' } }] })
      await etcd.restart()
    })

    it('a black hole costs the first certificate a few seconds, and a stop none', async () => {
      const { environment, directory } = nodeWith({ ETCD_ENDPOINTS: await blackHole() })
      const agent = spawnAgent(environment)
      await agent.nextLine(({ event }) => event === 'listening')
      agent.signal('SIGTERM')
      expect(await agent.ended).toEqual({ code: 0, signal: null })
      expect(entriesOf(directory)).toEqual([])
      const patient = spawnAgent(environment)
      await patient.nextLine(({ reason, level }) => reason === 'etcd-unheard' && level === 'warn')
      await patient.nextLine(({ event }) => event === 'published')
    })

    it('init waits for the user, and ends with 69 and the reason where nobody adds it', async () => {
      const { environment, directory } = nodeWith()
      const agent = spawnAgent(environment, { args: ['init', '--wait', '2s'] })
      expect(await agent.ended).toEqual({ code: 69, signal: null })
      expect(agent.stderr()).toMatch(/there is no user calico-node:node1\n {2}Add the user without a password/)
      expect(entriesOf(directory)).toEqual([])
    })

    it('the built program asks, too', async () => {
      await addUser()
      const { environment, directory } = nodeWith({ AGENT_LOG_LEVEL: 'debug' })
      const agent = spawnAgent(environment)
      expect(await agent.nextLine(({ event }) => event === 'probed')).toMatchObject({ outcome: 'accepted' })
      await agent.nextLine(({ event }) => event === 'published')
      agent.signal('SIGHUP')
      await agent.nextLine(({ event, reason }) => event === 'published' && reason === 'renewal-requested')
      expect(readPublished(directory).commonName).toBe(user)
      const { text } = await agent.ask('/metrics')
      expect(text).toMatch(/etcd_probes_total\{component="calico-node",outcome="accepted"\} 2\n/)
    })
  })
})
