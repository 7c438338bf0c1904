/**
 * Proves AGENT_SOURCE=kv: certificates that somebody else writes into Vault's KV engine, version 1 and 2, reach the directory
 * through the same gate, by a policy that gives each node its own secret; and nothing there makes the agent go back.
 */
import { beforeAll, describe, expect, it } from 'vitest'
import { type AgentInProcess, startAgent } from '../../support/agent-in-process.ts'
import { spawnAgent } from '../../support/agent-process.ts'
import { createCa, type LeafOptions, type TestCa, type TestCertificate } from '../../support/certificates.ts'
import { createFakeClock } from '../../support/fake-clock.ts'
import { engines, pathIn, setUpKv, writeKv } from './kv-lab.ts'
import { createTestNode, describeEachVault, type NodeOptions, type TestNode } from './lab.ts'
import { readPublished, snapshot } from './published.ts'

const hourMs = 3_600_000
const pollMs = 300_000
const ago = (ms: number): Date => new Date(Math.floor(Date.now() / 1000) * 1000 - ms)

describeEachVault('certificates in the KV engine', {}, (lab) => {
  let ca: TestCa
  beforeAll(async () => {
    ca = await createCa({ commonName: 'Made elsewhere' })
    await setUpKv(lab())
  })

  const issue = async (options: LeafOptions = {}): Promise<TestCertificate> =>
    await ca.issue({ commonName: 'calico-node:node1', ...options })

  const fieldsOf = ({ certificatePem, privateKeyPem }: TestCertificate): Record<string, unknown> => ({
    'etcd-cert': certificatePem,
    'etcd-key': privateKeyPem,
    'etcd-ca': ca.certificatePem,
  })

  describe.each(engines)('version $version', ({ version, mount }) => {
    const pathOf = (node: string): string => pathIn({ version, mount }, `calico/${node}/calico-node`)

    const write = async (fields: object, node = 'node1'): Promise<void> => {
      await writeKv(lab(), { version, mount }, `calico/${node}/calico-node`, fields)
    }

    const nodeOf = (options: NodeOptions = {}): TestNode =>
      createTestNode(lab(), {
        ...options,
        env: {
          AGENT_SOURCE: 'kv',
          AGENT_KV_MOUNT: mount,
          AGENT_KV_VERSION: version,
          AGENT_AUTH_ROLE: 'calico-kv',
          ...options.env,
        },
      })

    async function start(options: NodeOptions = {}) {
      const node = nodeOf(options)
      const clock = createFakeClock()
      const agent = await startAgent(node.environment, { clock })
      return {
        ...node,
        agent,
        serial: () => readPublished(node.directory).leaf.serialNumber,
        look: async () => {
          await clock.nextSleep()
          await clock.pass(pollMs)
        },
      }
    }

    const requests = (agent: AgentInProcess): string[] =>
      agent.events.flatMap((event) => (event.type === 'vault-request' ? [`${event.operation} ${event.outcome}`] : []))

    it('what is written is published, and what is written later replaces it', async () => {
      const first = await issue({ notBefore: ago(2 * hourMs) })
      await write(fieldsOf(first))
      const { agent, directory, serial, look } = await start()
      await agent.nextEvent('published')
      expect(serial()).toBe(first.serialNumber)
      expect(readPublished(directory).caNames).toEqual(['Made elsewhere'])
      expect(requests(agent)).toEqual(['login ok', 'secret ok'])

      await look()
      // The token is still good: one request a look.
      expect(requests(agent).slice(2)).toEqual(['secret ok'])
      const second = await issue({ notBefore: ago(hourMs) })
      await write(fieldsOf(second))
      await look()
      expect(serial()).toBe(second.serialNumber)
      expect(agent.events.findLast(({ type }) => type === 'published')).toMatchObject({ reason: 'source-changed' })
    })

    it('mapped fields, a chain as a list, a key of another format', async () => {
      const intermediate = await createCa({ commonName: 'Intermediate', issuer: ca })
      const leaf = await intermediate.issue({ commonName: 'calico-node:node1', keyType: 'rsa' })
      await write({
        certificate: [leaf.certificatePem.trim(), intermediate.certificatePem.trim()],
        private_key: leaf.privateKeyPem,
        issuing_ca: ca.certificatePem.trim(),
        note: 'not ours',
      })
      const env = { AGENT_SOURCE_FIELDS: 'certificate=certificate,key=private_key,ca=issuing_ca' }
      const { agent, directory } = await start({ env })
      await agent.nextEvent('published')
      const { cert, caNames } = readPublished(directory)
      expect(cert.match(/BEGIN CERTIFICATE/g)).toHaveLength(2)
      expect(caNames).toEqual(['Made elsewhere'])
    })

    it('what is wrong is told by its name, and the published one stays', async () => {
      const good = await issue({ notBefore: ago(hourMs) })
      await write(fieldsOf(good))
      const { agent, directory, look } = await start()
      await agent.nextEvent('published')
      const before = snapshot(directory)
      const newer = fieldsOf(await issue())
      const bad: readonly (readonly [object, string, RegExp])[] = [
        [{ ...newer, 'etcd-key': '' }, 'source-incomplete', /no text in etcd-key; the fields there are etcd-ca, /],
        [
          { 'tls.crt': 'x' },
          'source-incomplete',
          /no text in etcd-cert, etcd-key, etcd-ca; the fields there are tls.crt$/,
        ],
        [{ ...newer, 'etcd-ca': 7 }, 'source-incomplete', /no text in etcd-ca; /],
        [{ ...newer, 'etcd-cert': 'hello' }, 'malformed', /etcd-cert: there is no PEM certificate in it$/],
      ]
      for (const [fields, reason, message] of bad) {
        await write(fields)
        await look()
        const told = agent.events.findLast(({ type }) => type === 'ca-refresh-failed')
        expect(told).toMatchObject({ reason, detail: expect.stringMatching(message) as string })
        expect((told as { detail: string }).detail).toContain(pathOf('node1'))
      }
      const refused: readonly (readonly [object, string])[] = [
        [{ ...newer, 'etcd-key': good.privateKeyPem }, 'key-mismatch'],
        [fieldsOf(await issue({ commonName: 'calico-node:node2' })), 'wrong-name'],
        [fieldsOf(await issue({ client: false })), 'not-client-auth'],
        [
          fieldsOf(await (await createCa({ commonName: 'Stranger' })).issue({ commonName: 'calico-node:node1' })),
          'untrusted-chain',
        ],
        [fieldsOf(await issue({ notBefore: ago(9 * hourMs) })), 'source-older'],
      ]
      for (const [fields, reason] of refused) {
        await write(fields)
        await look()
        expect(agent.events.findLast(({ type }) => type === 'renewal-failed')).toMatchObject({ reason })
      }
      expect(JSON.stringify(agent.events)).not.toContain('PRIVATE')
      expect(snapshot(directory)).toEqual(before)

      await write(fieldsOf(good))
      await look()
      expect(agent.probe('readyz').body).not.toHaveProperty(['targets', '0', 'failure'])
      expect(snapshot(directory)).toEqual(before)
    })

    it('a restart contacts Vault for nothing, and goes back behind nothing', async () => {
      await write(fieldsOf(await issue({ notBefore: ago(hourMs) })))
      const { agent, environment, directory } = await start()
      await agent.nextEvent('published')
      await agent.stop()
      const before = snapshot(directory)
      await write(fieldsOf(await issue({ notBefore: ago(2 * hourMs) })))
      const clock = createFakeClock()
      const second = await startAgent(environment, { clock })
      await second.nextEvent('found')
      await clock.nextSleep()
      expect(requests(second)).toEqual([])
      await clock.pass(pollMs)
      expect(second.events.findLast(({ type }) => type === 'renewal-failed')).toMatchObject({ reason: 'source-older' })
      expect(snapshot(directory)).toEqual(before)
    })

    it("another node's secret is denied", async () => {
      await write(fieldsOf(await issue()))
      const { agent } = await start({ node: 'node2', env: { AGENT_KV_PATH: 'calico/node1/{component}' } })
      const { reason, detail } = await agent.nextEvent('renewal-failed')
      expect([reason, detail]).toEqual(['vault-denied', expect.stringContaining(`/v1/${pathOf('node1')}: 403`)])
    })

    it('a uid of the node that would lead elsewhere is refused', async () => {
      const { agent } = await start({ token: { nodeUid: '..' }, env: { AGENT_KV_PATH: 'calico/{node_uid}' } })
      const { reason, detail } = await agent.nextEvent('renewal-failed')
      expect([reason, detail]).toEqual([
        'credential-invalid',
        expect.stringContaining('has no claim kubernetes.io/node/uid'),
      ])
    })

    it('a path by the uid of the node; nothing there is waited for', async () => {
      const { agent } = await start({ env: { AGENT_KV_PATH: 'calico/node1/{node_uid}' } })
      const { reason, detail } = await agent.nextEvent('renewal-failed')
      expect(reason).toBe('source-empty')
      expect(detail).toMatch(/\/calico\/node1\/[0-9a-f-]{36}: 404$/)
    })
  })

  it('deleted and destroyed versions are told as that, and the published one stays', async () => {
    const { api } = lab()
    const fields = fieldsOf(await issue())
    await api.root('POST', 'kv2/data/calico/node1/deleted', { data: fields })
    const clock = createFakeClock()
    const { environment, directory } = createTestNode(lab(), {
      env: {
        AGENT_SOURCE: 'kv',
        AGENT_KV_MOUNT: 'kv2',
        AGENT_KV_PATH: 'calico/{node}/deleted',
        AGENT_AUTH_ROLE: 'calico-kv',
      },
    })
    const agent = await startAgent(environment, { clock })
    await agent.nextEvent('published')
    const before = snapshot(directory)
    const look = async (): Promise<unknown> => {
      await clock.nextSleep()
      await clock.pass(pollMs)
      return agent.events.findLast(({ type }) => type === 'ca-refresh-failed')
    }
    await api.root('DELETE', 'kv2/data/calico/node1/deleted')
    const deleted = {
      reason: 'source-empty',
      detail: expect.stringMatching(/404 version 1 was deleted at 20\d\d-/) as string,
    }
    expect(await look()).toMatchObject(deleted)
    await api.root('POST', 'kv2/destroy/calico/node1/deleted', { versions: [1] })
    const destroyed = { reason: 'source-empty', detail: expect.stringMatching(/404 version 1 is destroyed$/) as string }
    expect(await look()).toMatchObject(destroyed)
    expect(snapshot(directory)).toEqual(before)
  })

  it('a mount of version 2 that is taken for version 1 answers in its own words', async () => {
    const env = { AGENT_SOURCE: 'kv', AGENT_KV_MOUNT: 'kv2', AGENT_KV_VERSION: '1', AGENT_AUTH_METHOD: 'token' }
    const { environment } = createTestNode(lab(), {
      env: { ...env, AGENT_AUTH_TOKEN_FILE: undefined, VAULT_TOKEN: lab().vault.rootToken },
    })
    const agent = await startAgent(environment)
    const { reason, detail } = await agent.nextEvent('renewal-failed')
    expect([reason, detail]).toEqual(['source-empty', expect.stringMatching(/Invalid path for a versioned K\/V/)])
  })

  it('init, from the bundle', async () => {
    const certificate = await issue()
    await lab().api.root('POST', 'kv1/calico/node1/calico-node', fieldsOf(certificate))
    const { environment, directory } = createTestNode(lab(), {
      env: { AGENT_SOURCE: 'kv', AGENT_KV_MOUNT: 'kv1', AGENT_KV_VERSION: '1', AGENT_AUTH_ROLE: 'calico-kv' },
    })
    const agent = spawnAgent(environment, { args: ['init'] })
    expect(await agent.ended).toMatchObject({ code: 0 })
    expect(readPublished(directory).leaf.serialNumber).toBe(certificate.serialNumber)
  })
})
