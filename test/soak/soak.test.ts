/**
 * Rotation after rotation on a real Vault, beside readers and a real etcd: memory, descriptors and timers do not grow, and nobody
 * ever has half a pair. Short here; `npm run soak -- --rotations 2000` shows the slope of the memory.
 */
import { readdirSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest'
import { readMemory } from '../bench/process-stats.ts'
import { createTestNode, type Lab, startLab } from '../integration/agent/lab.ts'
import { locateServer } from '../servers/locate.ts'
import { startAgent } from '../support/agent-in-process.ts'
import { type AgentProcess, spawnAgent } from '../support/agent-process.ts'
import { type RealEtcd, startRealEtcd } from '../support/real-etcd.ts'
import { type RealVault, startRealVault } from '../support/real-vault.ts'
import { type FleetFigures, runFleet } from './fleet.ts'
import { type EtcdHandshakes, startEtcdHandshakes, startReader } from './readers.ts'

/** What `npm run soak` prints. */
export interface SoakFigures {
  readonly rotations: number
  readonly seconds: number
  readonly rssMiB: { readonly warm: number; readonly end: number; readonly slopeKiBPerRotation: number }
  readonly descriptors: { readonly warm: number; readonly end: number }
  readonly pairsRead: number
  readonly torn: { readonly resolvedOnce: number; readonly byName: number }
  readonly etcdHandshakes: { readonly count: number; readonly failures: number }
}

declare module 'vitest' {
  interface ProvidedContext {
    /** Undefined in `npm test`. */
    soakRotations: number | undefined
    fleetAgents: number | undefined
  }
  interface TaskMeta {
    soak?: Partial<SoakFigures>
    fleet?: FleetFigures
  }
}

const rotations = inject('soakRotations') ?? 40
const agents = inject('fleetAgents') ?? 20
const isLong = inject('soakRotations') !== undefined
const missing = ['vault' as const, 'etcd' as const]
  .map((name) => locateServer(name))
  .find((found) => 'missing' in found)?.missing
/** The slope counts from here on: caches are full and V8 has compiled what is hot. */
const warmPart = 0.4

describe.skipIf(missing !== undefined)(`soak${missing === undefined ? '' : ` (left out: ${missing})`}`, () => {
  let vault: RealVault
  let lab: Lab
  let etcd: RealEtcd
  beforeAll(async () => {
    vault = await startRealVault()
    lab = { ...(await startLab(vault, {})), isReal: true }
    etcd = await startRealEtcd({ clientCaPem: `${lab.setup.rootPem}\n` })
  })
  afterAll(async () => {
    await etcd?.stop()
    await lab?.stop()
  })

  async function start(env: Record<string, string>): Promise<{ agent: AgentProcess; directory: string }> {
    const { environment, directory } = createTestNode(lab, {
      env: { ...env, AGENT_ETCD_CA_FILE: etcd.caFile, AGENT_ISSUANCE_BUDGET: 'off' },
    })
    const agent = spawnAgent(environment, { patienceMs: 30_000 })
    await agent.nextLine(isPublished)
    return { agent, directory }
  }

  test('memory and descriptors do not grow; resolved once, no pair is ever torn', async ({ task }) => {
    const { agent, directory } = await start({})
    const reader = startReader(directory)
    onTestFinished(() => reader.stop())
    const handshakes = startEtcdHandshakes(directory, etcd.endpoint)
    onTestFinished(() => handshakes.stop())
    const startedAt = performance.now()
    const samples: Sample[] = []
    for (let rotation = 1; rotation <= rotations; rotation++) {
      await rotate(agent)
      samples.push({
        rotation,
        rssKiB: readMemory(agent.processId).rss * 1024,
        descriptors: descriptorsOf(agent.processId),
      })
    }
    await handshakes.stop()
    await reader.stop()
    const warm = samples.slice(Math.floor(rotations * warmPart))
    const [first, last] = [warm[0], warm.at(-1)]
    if (first === undefined || last === undefined) throw new Error('no rotation')
    const slope = slopeOf(warm)
    const { found } = reader
    task.meta.soak = {
      rotations,
      seconds: (performance.now() - startedAt) / 1000,
      rssMiB: { warm: first.rssKiB / 1024, end: last.rssKiB / 1024, slopeKiBPerRotation: slope },
      descriptors: { warm: first.descriptors, end: last.descriptors },
      pairsRead: found.pairs,
      torn: { resolvedOnce: found.tornResolved, byName: found.tornByName },
      etcdHandshakes: { count: handshakes.count, failures: handshakes.failures.length },
    }
    expect(found.tornResolved).toBe(0)
    expect(found.missingByName).toBe(0)
    expect(unexpected(handshakes)).toEqual([])
    expect(found.certificates).toBeGreaterThan(rotations / 10)
    expect(leastOf(warm, ({ descriptors }) => descriptors)).toBe(leastOf(warm.slice(-10), (each) => each.descriptors))
    // A few rotations tell nothing of the memory.
    if (isLong) expect(slope).toBeLessThanOrEqual(1)
  })

  test('with AGENT_KEY_REUSE nobody has a pair that does not fit, however it is read', async ({ task }) => {
    const { agent, directory } = await start({ AGENT_KEY_REUSE: '1000' })
    const reader = startReader(directory)
    onTestFinished(() => reader.stop())
    const handshakes = startEtcdHandshakes(directory, etcd.endpoint)
    onTestFinished(() => handshakes.stop())
    for (let rotation = 1; rotation <= Math.min(rotations, 900); rotation++) await rotate(agent)
    await expect.poll(() => reader.found.pairs, { timeout: 20_000 }).toBeGreaterThan(1000)
    await reader.stop()
    await handshakes.stop()
    const { tornByName, tornResolved, missingByName, pairs } = reader.found
    task.meta.soak = {
      pairsRead: pairs,
      torn: { resolvedOnce: tornResolved, byName: tornByName },
      etcdHandshakes: { count: handshakes.count, failures: handshakes.failures.length },
    }
    expect({ tornByName, tornResolved, missingByName }).toEqual({ tornByName: 0, tornResolved: 0, missingByName: 0 })
    expect(handshakes.failures).toEqual([])
  })

  test('a fleet that starts at once is served, and renews before anything ends (agents in one process)', async ({
    task,
  }) => {
    const figures = await runFleet(lab, vault.pid, {
      agents,
      lifetimeSeconds: isLong ? 60 : 6,
      certificatesEach: isLong ? 3 : 2,
    })
    task.meta.fleet = figures
    expect(figures.failures).toEqual([])
    expect(figures.leastLeftSeconds).toBeGreaterThan(0)
  })

  test('timers do not grow (agent in process)', async () => {
    const { environment } = createTestNode(lab, { env: { AGENT_ISSUANCE_BUDGET: 'off' } })
    const agent = await startAgent(environment)
    await agent.nextEvent('published')
    const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
    const counts: number[] = []
    for (let rotation = 0; rotation < 30; rotation++) {
      agent.renewNow()
      await agent.nextEvent('published', ({ reason }) => reason === 'renewal-requested')
      await agent.nextEvent('heartbeat')
      counts.push(timers())
    }
    expect(Math.max(...counts.slice(20))).toBeLessThanOrEqual(Math.max(...counts.slice(0, 10)))
  })
})

interface Sample {
  readonly rotation: number
  readonly rssKiB: number
  readonly descriptors: number
}

const isPublished = ({ event }: { event: string }): boolean => event === 'published'

async function rotate(agent: AgentProcess): Promise<void> {
  agent.signal('SIGHUP')
  await agent.nextLine(isPublished)
}

function descriptorsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length
}

/**
 * A client that reads two files one after the other may meet the swap between them; it then has a pair that does not fit, and
 * tries again. Everything else would be a refusal of a certificate that was published.
 */
function unexpected({ failures }: EtcdHandshakes): string[] {
  return failures.filter((failure) => !/key values mismatch|ENOENT/.test(failure))
}

function leastOf(samples: readonly Sample[], pick: (sample: Sample) => number): number {
  return Math.min(...samples.map(pick))
}

/** Least squares, in KiB per rotation. */
function slopeOf(samples: readonly Sample[]): number {
  const mean = (pick: (sample: Sample) => number): number =>
    samples.reduce((sum, each) => sum + pick(each), 0) / samples.length
  const [x, y] = [mean(({ rotation }) => rotation), mean(({ rssKiB }) => rssKiB)]
  const covariance = mean((each) => (each.rotation - x) * (each.rssKiB - y))
  return covariance / mean(({ rotation }) => (rotation - x) ** 2)
}
