/** Owns the faults of a cluster of three real Vaults: leaders that go, standbys that do not forward, members with an older state. */
import { cpSync, rmSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import type { AgentProcess } from '../../support/agent-process.ts'
import { clusterMissing, type RealVaultCluster, type VaultMember } from '../../support/real-vault-cluster.ts'
import { judge } from '../harness.ts'
import type { ClusterOptions, FaultRow, MatrixRow, Outcome, RunOptions, Stage } from '../row.ts'
import { createStage } from '../stage.ts'
import { watchDirectory } from '../watch.ts'
import { httpAnswer } from './network.ts'
import { forgetTokens } from './vault.ts'

const group = 'cluster'
const lookEveryMs = 25

/** Not felt: one login and one signature succeed in the middle of it. */
function unfelt(
  name: string,
  cluster: ClusterOptions,
  inject: FaultRow['inject'],
  recover: FaultRow['recover'] = () => {},
): FaultRow {
  return {
    group,
    name,
    cluster,
    reasons: [],
    recover,
    async inject(stage) {
      await inject(stage)
      await forgetTokens(stage)
    },
  }
}

export const clusterFaults: readonly FaultRow[] = [
  unfelt('a standby is the only address', { first: 'standby', isOnly: true }, () => {}),
  unfelt(
    'a standby that redirects (307) is the only address',
    { first: 'standby', isOnly: true, redirects: true },
    () => {},
  ),
  unfelt(
    'the first of three addresses is dead',
    { first: 'standby' },
    ({ proxy }) => proxy.close(),
    ({ proxy }) => proxy.open(),
  ),
  unfelt(
    'two of three addresses answer with the states of standbys (472, 473)',
    { first: 'standby' },
    ({ proxies, proxy }) => {
      const next = proxies[(proxies.indexOf(proxy) + 1) % proxies.length]
      for (const [front, status] of [
        [proxy, 472],
        [next, 473],
      ] as const)
        front?.setFault({ onRequest: (client) => void client.end(httpAnswer(`${status} Standby`)) })
    },
  ),
  {
    group,
    name: 'no leader: two of three members are gone',
    // What the last one says first: where the leader was, and then that there is none.
    reasons: ['vault-standby', 'vault-unreachable', 'vault-connection-lost', 'vault-timeout'],
    cluster: { first: 'standby' },
    async inject(stage) {
      const first = behind(stage)
      await Promise.all(others(stage, first).map((member) => member.kill()))
    },
    async recover(stage) {
      await Promise.all(others(stage, behind(stage)).map((member) => member.start()))
      await clusterOf(stage).leader()
    },
  },
  unfelt(
    'the only address is a standby that was restored from an older state',
    { first: 'standby', isOnly: true },
    async (stage) => {
      const member = behind(stage)
      await backUp([member])
      await renewAfterLogin(stage)
      await restore([member])
    },
  ),
  {
    group,
    name: 'all are restored from an older state: the token and the issuer of the certificate are unknown',
    reasons: [],
    cluster: { first: 'leader' },
    async inject(stage) {
      const cluster = clusterOf(stage)
      await backUp(cluster.members)
      const { api } = await cluster.leader()
      const second = { common_name: 'second', issuer_name: 'second', key_type: 'ec', ttl: '8760h' }
      await api.root('POST', 'pki/root/rotate/internal', second)
      await api.root('POST', 'pki/config/issuers', { default: 'second' })
      await renewAfterLogin(stage)
      await restore(cluster.members)
      await cluster.leader()
    },
    recover: () => {},
  },
]

function clusterOf({ cluster }: Pick<Stage, 'cluster'>): RealVaultCluster {
  if (cluster === undefined) throw new Error('the row has no cluster')
  return cluster
}

/** The member that the agent asks first. */
function behind({ cluster, proxy }: Stage): VaultMember {
  const member = cluster?.members.find(({ address }) => address === proxy.target)
  if (member === undefined) throw new Error('no member')
  return member
}

function others(stage: Stage, one: VaultMember): readonly VaultMember[] {
  return clusterOf(stage).members.filter((member) => member !== one)
}

/** Kept beside the storage; the process is gone meanwhile. */
async function backUp(members: readonly VaultMember[]): Promise<void> {
  await replaced(members, ({ storage }) => cpSync(storage, `${storage}-older`, { recursive: true }))
}

async function restore(members: readonly VaultMember[]): Promise<void> {
  await replaced(members, ({ storage }) => {
    rmSync(storage, { recursive: true })
    cpSync(`${storage}-older`, storage, { recursive: true })
  })
}

async function replaced(members: readonly VaultMember[], change: (member: VaultMember) => void): Promise<void> {
  await Promise.all(members.map((member) => member.kill()))
  for (const member of members) change(member)
  await Promise.all(members.map((member) => member.start()))
}

/** A token and a certificate that nobody has seen before. */
async function renewAfterLogin(stage: Stage): Promise<void> {
  await forgetTokens(stage)
  stage.agent.signal('SIGHUP')
  await stage.agent.nextLine(({ event }) => event === 'published')
}

const recoversWithinSeconds = 45

/** What is felt of it, and how often, is no promise; that few requests are made and the agent helps itself, is. */
function endured(name: string, env: FaultRow['env'] & {}, endure: (stage: Stage) => Promise<string>): MatrixRow {
  return {
    group,
    name,
    leftOut: clusterMissing,
    async run({ lab, node, onEnd }: RunOptions): Promise<Outcome> {
      const row: FaultRow = {
        group,
        name,
        reasons: [],
        cluster: { first: 'leader' },
        env,
        inject: () => {},
        recover: () => {},
      }
      const stage = await createStage(row, lab, node, onEnd)
      const watch = watchDirectory(stage.directory, `calico-node:${node}`)
      onEnd(() => watch.stop())
      const before = watch.seen
      const done = await endure(stage)
      const endedAt = performance.now()
      const isWell = (): boolean => watch.seen > before && lastOutcome(stage.agent) === 'published'
      while (!isWell() && performance.now() - endedAt < recoversWithinSeconds * 1000) await delay(lookEveryMs)
      const recoveredAfterSeconds = (performance.now() - endedAt) / 1000
      const judged = await judge(stage, watch)
      const problems = isWell()
        ? judged.problems
        : [...judged.problems, `no new certificate within ${recoversWithinSeconds} s`]
      const outcome = `${done}; ${felt(stage.agent)}`
      return { group, name, outcome, recoveredAfterSeconds, recoversWithinSeconds, ...judged, problems }
    },
  }
}

const outcomesOf = ({ lines }: AgentProcess) =>
  lines.filter(({ event }) => event === 'published' || event === 'renewal-failed')

const lastOutcome = (agent: AgentProcess) => outcomesOf(agent).at(-1)?.event

function felt(agent: AgentProcess): string {
  const reasons = outcomesOf(agent).flatMap(({ reason, event }) => (event === 'renewal-failed' ? [reason ?? ''] : []))
  const published = outcomesOf(agent).length - reasons.length
  const failures =
    reasons.length === 0 ? 'no attempt failed' : `${reasons.length} failed (${[...new Set(reasons)].join(', ')})`
  return `${published - 1} renewed, ${failures}`
}

/** It has the request and stands still; then it is gone. */
function leaderKilled(what: string, path: string): MatrixRow {
  return endured(
    `the leader is killed in the middle of ${what}`,
    () => ({}),
    async (stage) => {
      const leader = behind(stage)
      const isGone = Promise.withResolvers<void>()
      await forgetTokens(stage)
      stage.proxy.setFault({
        onRequest(_client, asked = '') {
          if (!asked.startsWith(path)) return 'pass'
          process.kill(leader.pid, 'SIGSTOP')
          setImmediate(() => void leader.kill().then(isGone.resolve))
          return 'pass'
        },
      })
      stage.agent.signal('SIGHUP')
      await isGone.promise
      return 'another one is elected'
    },
  )
}

const flappingMs = 60_000

const flapping = endured(
  'the leader is told to step down each second for a minute',
  // Due in the middle of it, by its own slot.
  () => ({ AGENT_TTL: '60s' }),
  async (stage) => {
    const cluster = clusterOf(stage)
    const endAt = performance.now() + flappingMs
    let count = 0
    stage.agent.signal('SIGHUP')
    while (performance.now() < endAt) {
      const { api } = await cluster.leader()
      count += await api.root('PUT', 'sys/step-down').then(
        () => 1,
        () => 0,
      )
      await delay(1000)
    }
    await cluster.leader()
    return `${count} leaders have stepped down`
  },
)

export const clusterRows: readonly MatrixRow[] = [
  leaderKilled('a login', 'auth/jwt/login'),
  leaderKilled('a signature', 'pki/sign/'),
  flapping,
]
