/**
 * Proves that an agent lives with a real cluster of three Vaults: an active node that dies in the middle of a request or gives up
 * its place, standbys that forward, that redirect or that know no leader, and members that come back with an older state.
 */
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { firstFor } from '../../../agent/vault/addresses.ts'
import { type AgentInProcess, startAgent } from '../../support/agent-in-process.ts'
import { createFakeClock, type FakeClock } from '../../support/fake-clock.ts'
import { clusterMissing, type RealVaultCluster, startRealVaultCluster } from '../../support/real-vault-cluster.ts'
import { createTestNode, type Lab, startLab, type TestNode } from './lab.ts'
import { snapshot } from './published.ts'
import { startVaultFront } from './vault-front.ts'

const left = clusterMissing === undefined ? '' : ` (left out: ${clusterMissing})`
const minuteMs = 60_000

interface ClusterLab {
  readonly cluster: RealVaultCluster
  readonly lab: Lab
}

function withCluster(redirects: boolean): () => ClusterLab {
  const ends: (() => unknown)[] = []
  let started: ClusterLab | undefined
  beforeAll(async () => {
    const cluster = await startRealVaultCluster({ redirects, onEnd: (end) => ends.push(end) })
    ends.unshift(() => cluster.stop())
    const lab = await startLab(cluster.vault, { tokenType: 'service' })
    started = { cluster, lab: { ...lab, isReal: true } }
  }, 120_000)
  afterAll(async () => {
    await started?.lab.stop()
    for (const end of ends) await end()
  })
  return () => {
    if (started === undefined) throw new Error('the cluster did not start')
    return started
  }
}

/** A node whose agent begins at the first of the addresses. */
function nodeAt({ lab }: ClusterLab, addresses: readonly string[], env: Record<string, string> = {}): TestNode {
  const [first = ''] = addresses
  let number = 1
  while (firstFor(addresses, '', `node${number}`) !== first) number++
  return createTestNode(lab, { node: `node${number}`, env: { VAULT_ADDR: addresses.join(), ...env } })
}

/** Lets time pass until the agent has a new certificate; what failed until then is returned. */
async function untilPublished(agent: AgentInProcess, clock: FakeClock): Promise<readonly string[]> {
  const failures: string[] = []
  for (let attempt = 0; attempt < 40; attempt++) {
    const isOver = ({ type }: { type: string }) => type === 'published' || type === 'renewal-failed'
    const seen = agent.events.length
    await clock.nextSleep()
    clock.advance(10 * minuteMs)
    await expect.poll(() => agent.events.slice(seen).some(isOver), { timeout: 20_000 }).toBe(true)
    for (const event of agent.events.slice(seen)) {
      if (event.type === 'renewal-failed') failures.push(event.reason)
      if (event.type === 'published') return failures
    }
  }
  throw new Error(`never published: ${failures.join()}`)
}

const outcomes = ({ events }: AgentInProcess, operation: string) =>
  events.flatMap((each) => (each.type === 'vault-request' && each.operation === operation ? [each.outcome] : []))

describe.skipIf(clusterMissing !== undefined)(`a cluster that forwards${left}`, () => {
  const started = withCluster(false)

  it('a standby that is addressed directly serves like the active node', async () => {
    const [standby] = await started().cluster.standbys()
    const { environment, directory } = nodeAt(started(), [standby?.address ?? ''])
    const agent = await startAgent(environment)
    await agent.nextEvent('published')
    expect(outcomes(agent, 'sign')).toEqual(['ok'])
    snapshot(directory)
  })

  it('the active node steps down again and again: every renewal succeeds', async () => {
    const { cluster } = started()
    const { environment } = nodeAt(
      started(),
      cluster.members.map(({ address }) => address),
    )
    const agent = await startAgent(environment)
    await agent.nextEvent('published')
    for (let count = 0; count < 3; count++) {
      await cluster.stepDown()
      agent.renewNow()
      await agent.nextEvent('published', ({ reason }) => reason === 'renewal-requested')
    }
    expect(agent.events.filter(({ type }) => type === 'renewal-failed')).toEqual([])
  }, 90_000)

  it.each([
    ['a login', 'auth/jwt/login', 'login'],
    ['a signature', 'pki/sign/', 'sign'],
  ] as const)(
    'the active node is killed in the middle of %s',
    async (_what, path, operation) => {
      const { cluster } = started()
      const active = await cluster.leader()
      const front = await startVaultFront({ address: active.address, caPem: cluster.vault.caPem })
      const others = cluster.members.filter((member) => member !== active).map(({ address }) => address)
      const node = nodeAt(started(), [front.address, ...others])
      const bothCas = join(node.root, 'ca.pem')
      writeFileSync(bothCas, front.caPem + readFileSync(cluster.vault.caFile, 'utf8'))
      const clock = createFakeClock()
      const agent = await startAgent({ ...node.environment, VAULT_CACERT: bothCas }, { clock })
      await agent.nextEvent('published')
      const before = snapshot(node.directory)
      expect(front.requests.length).toBeGreaterThan(0)
      // A session that has ended: the next renewal logs in first.
      clock.advance(20 * minuteMs)

      const inTheMiddle = front.nextRequest(path)
      front.rewrite = (asked, body) => {
        // It has the connection and will never read the request.
        if (asked.startsWith(path)) process.kill(active.pid, 'SIGSTOP')
        return body
      }
      agent.renewNow()
      await inTheMiddle
      await active.kill()
      // Whole, whether it is the old one or already that of another member.
      snapshot(node.directory)
      await cluster.leader()
      const published = agent.events.filter(({ type }) => type === 'published').length
      const failures = published > 1 ? [] : await untilPublished(agent, clock)
      expect(snapshot(node.directory)).not.toEqual(before)
      expect(failures.length).toBeLessThan(10)
      expect(outcomes(agent, operation).at(-1)).toBe('ok')
      const told = agent.events.flatMap((each) => (each.type === 'vault-address' ? [each.address] : []))
      expect(told[0]).toBe(front.address)
      expect(others).toContain(told.at(-1))
      await active.start()
    },
    120_000,
  )

  it('a standby that comes back with an older state catches up', async () => {
    const { cluster } = started()
    const [standby] = await cluster.standbys()
    if (standby === undefined) throw new Error('no standby')
    await standby.kill()
    const older = `${standby.storage}-older`
    cpSync(standby.storage, older, { recursive: true })
    await standby.start()
    const { environment } = nodeAt(started(), [standby.address])
    const agent = await startAgent(environment)
    await agent.nextEvent('published')
    await standby.kill()
    rmSync(standby.storage, { recursive: true })
    cpSync(older, standby.storage, { recursive: true })
    await standby.start()
    agent.renewNow()
    await agent.nextEvent('published', ({ reason }) => reason === 'renewal-requested')
  }, 90_000)

  it('a cluster that is restored from an older state knows no token: one more login', async () => {
    const { cluster } = started()
    const killAll = async () => void (await Promise.all(cluster.members.map((member) => member.kill())))
    const startAll = async () => {
      await Promise.all(cluster.members.map((member) => member.start()))
      await cluster.leader()
    }
    await killAll()
    for (const { storage } of cluster.members) cpSync(storage, `${storage}-backup`, { recursive: true })
    await startAll()
    const clock = createFakeClock()
    const { environment, directory } = nodeAt(
      started(),
      cluster.members.map(({ address }) => address),
    )
    const agent = await startAgent(environment, { clock })
    await agent.nextEvent('published')
    const before = snapshot(directory)
    await killAll()
    for (const { storage } of cluster.members) {
      rmSync(storage, { recursive: true })
      cpSync(`${storage}-backup`, storage, { recursive: true })
    }
    await startAll()
    agent.renewNow()
    await agent.nextEvent('published', ({ reason }) => reason === 'renewal-requested')
    expect(outcomes(agent, 'sign')).toEqual(['ok', 'vault-denied', 'ok'])
    expect(outcomes(agent, 'login')).toEqual(['ok', 'ok'])
    expect(snapshot(directory).ca).toBe(before.ca)
  }, 120_000)
})

describe.skipIf(clusterMissing !== undefined)(`a cluster whose standbys redirect${left}`, () => {
  const started = withCluster(true)

  it("a standby's redirect to the active node is followed", async () => {
    const [standby] = await started().cluster.standbys()
    const { environment } = nodeAt(started(), [standby?.address ?? ''])
    const agent = await startAgent(environment)
    await agent.nextEvent('published')
    expect(agent.events.filter(({ type }) => type === 'renewal-failed')).toEqual([])
  })

  it('without redirects, the active node is found among the addresses', async () => {
    const { cluster } = started()
    const active = await cluster.leader()
    const standbys = (await cluster.standbys()).map(({ address }) => address)
    const env = { VAULT_DISABLE_REDIRECTS: 'true' }
    const alone = await startAgent(nodeAt(started(), standbys, env).environment)
    expect(await alone.nextEvent('renewal-failed')).toMatchObject({ reason: 'vault-redirect' })
    await alone.stop()
    const agent = await startAgent(nodeAt(started(), [...standbys, active.address], env).environment)
    await agent.nextEvent('published')
    const told = agent.events.find(({ type }) => type === 'vault-address')
    expect(told).toMatchObject({
      address: active.address,
      instead: [{ reason: 'vault-redirect' }, { reason: 'vault-redirect' }],
    })
  })

  it('while there is no leader it is told so, and passes by itself', async () => {
    const { cluster } = started()
    const clock = createFakeClock()
    const { environment } = nodeAt(
      started(),
      cluster.members.map(({ address }) => address),
    )
    const agent = await startAgent(environment, { clock })
    await agent.nextEvent('published')
    const active = await cluster.leader()
    const [standby] = await cluster.standbys()
    await Promise.all([active.kill(), standby?.kill()])
    agent.renewNow()
    const { reason, detail } = await agent.nextEvent('renewal-failed')
    expect(['vault-standby', 'vault-unreachable', 'vault-connection-lost']).toContain(reason)
    for (const { address } of cluster.members) expect(detail).toContain(address)
    await Promise.all([active.start(), standby?.start()])
    await cluster.leader()
    expect((await untilPublished(agent, clock)).length).toBeLessThan(10)
  }, 120_000)
})
