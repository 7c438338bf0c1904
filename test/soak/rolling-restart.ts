/**
 * Owns a fleet of agents, each a process of its own, while the three members of their Vault are restarted one after the other, the
 * leader last, as for an upgrade. It counts what must never be, and what it costs.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { type DirectoryWatch, watchDirectory } from '../faults/watch.ts'
import { createTestNode, type Lab } from '../integration/agent/lab.ts'
import { type AgentProcess, type LoggedLine, spawnAgent } from '../support/agent-process.ts'
import type { RealVaultCluster } from '../support/real-vault-cluster.ts'
import type { OnEnd } from '../support/temp-dir.ts'

export interface RollingFigures {
  readonly agents: number
  readonly lifetimeSeconds: number
  readonly seconds: number
  readonly certificates: number
  /** Attempts that failed, by reason. */
  readonly failures: Readonly<Record<string, number>>
  /** What was left of the certificate in place, at the least, of any agent at any time. */
  readonly leastLeftSeconds: number
  /** Readings that found no complete set. */
  readonly lost: number
  readonly bad: readonly string[]
  /** Of one agent, in its busiest minute. */
  readonly mostRequestsPerMinute: number
  /** How many agents ask each member at the end. */
  readonly atTheEnd: readonly number[]
}

export interface RollingOptions {
  readonly agents: number
  readonly lifetimeSeconds: number
  /** How long each member is gone, and how long it is back before the next one goes. */
  readonly downMs: number
  readonly betweenMs: number
  /** Everybody is told to renew as soon as a member is gone; otherwise they renew by their slots. */
  readonly isPushed: boolean
  readonly onEnd: OnEnd
}

const lookEveryMs = 250

interface Node {
  readonly agent: AgentProcess
  readonly watch: DirectoryWatch
}

export async function runRollingRestart(
  lab: Lab,
  cluster: RealVaultCluster,
  options: RollingOptions,
): Promise<RollingFigures> {
  const { agents, lifetimeSeconds, downMs, betweenMs, isPushed, onEnd } = options
  const startedAt = performance.now()
  const addresses = cluster.members.map(({ address }) => address)
  const fleet = await Promise.all(
    Array.from({ length: agents }, (_, index) => startNode(lab, `rolling${index}`, addresses, lifetimeSeconds, onEnd)),
  )
  let leastLeftMs = Number.POSITIVE_INFINITY
  const look = setInterval(() => {
    for (const { watch } of fleet) leastLeftMs = Math.min(leastLeftMs, watch.notAfterMs - Date.now())
  }, lookEveryMs)
  onEnd(() => clearInterval(look))

  const leader = await cluster.leader()
  for (const member of [...cluster.members.filter((each) => each !== leader), leader]) {
    const before = seenBy(fleet)
    await member.kill()
    if (isPushed) for (const { agent } of fleet) agent.signal('SIGHUP')
    await delay(downMs)
    await member.start()
    await cluster.leader()
    await delay(betweenMs)
    if (isPushed) await allRenewed(fleet, before)
  }
  if (!isPushed) await allRenewed(fleet, seenBy(fleet))
  clearInterval(look)
  for (const { watch } of fleet) watch.stop()

  const failed = fleet.flatMap(({ agent }) => agent.lines.filter(({ event }) => event === 'renewal-failed'))
  return {
    agents,
    lifetimeSeconds,
    seconds: Math.round((performance.now() - startedAt) / 1000),
    certificates: sum(fleet, ({ watch }) => watch.seen),
    failures: Object.fromEntries(
      [...Map.groupBy(failed, ({ reason = '' }) => reason)].map(([reason, lines]) => [reason, lines.length]),
    ),
    leastLeftSeconds: leastLeftMs / 1000,
    lost: sum(fleet, ({ watch }) => watch.lost),
    bad: fleet.flatMap(({ watch }) => watch.bad),
    mostRequestsPerMinute: Math.max(...fleet.map(({ agent }) => busiestMinute(agent.lines))),
    atTheEnd: addresses.map((address) => sum(fleet, ({ agent }) => (lastAddress(agent) === address ? 1 : 0))),
  }
}

async function startNode(
  lab: Lab,
  node: string,
  addresses: readonly string[],
  lifetimeSeconds: number,
  onEnd: OnEnd,
): Promise<Node> {
  const env = { VAULT_ADDR: addresses.join(), AGENT_TTL: `${lifetimeSeconds}s`, AGENT_LOG_LEVEL: 'debug' }
  const { environment, directory } = createTestNode(lab, { node, env, onEnd })
  const agent = spawnAgent(environment, { onEnd, patienceMs: 120_000 })
  await agent.nextLine(({ event }) => event === 'published')
  const watch = watchDirectory(directory, `calico-node:${node}`, lookEveryMs)
  onEnd(() => watch.stop())
  return { agent, watch }
}

/** Ends at the latest when one of them has nothing that works any more, which the figures tell. */
async function allRenewed(fleet: readonly Node[], before: readonly number[]): Promise<void> {
  const isDone = ({ watch }: Node, index: number) =>
    watch.seen > (before[index] ?? 0) || watch.notAfterMs < Date.now() - 60_000
  while (!fleet.every(isDone)) await delay(lookEveryMs)
}

const seenBy = (fleet: readonly Node[]) => fleet.map(({ watch }) => watch.seen)

function busiestMinute(lines: readonly LoggedLine[]): number {
  const times = lines.filter(({ event }) => event === 'vault-request').map(({ time }) => Date.parse(String(time)))
  return Math.max(...times.map((start) => times.filter((time) => time >= start && time < start + 60_000).length))
}

const lastAddress = ({ lines }: AgentProcess) => lines.findLast(({ event }) => event === 'vault-address')?.['address']

function sum<Item>(items: readonly Item[], pick: (item: Item) => number): number {
  return items.reduce((total, item) => total + pick(item), 0)
}
