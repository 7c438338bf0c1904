/**
 * Owns `npm run bench:etcd`: plan, apply and watch of `provision` on a real etcd, for so many nodes with two components each, as
 * one JSON on standard output. `--nodes 100,1000,10000`. Above `--apply-up-to` (1000) the users and roles are put into
 * etcd's database directly, since the time of an apply grows with the square of their number (docs/etcd.md). Beside it a client
 * does what calico-node does: its latency when idle, and while ten nodes come, with each bound of `--max-busy 100%,default`.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { type DesiredState, desiredState } from '../../agent/operator/etcd/desired.ts'
import { builtInProfiles } from '../../agent/operator/etcd/profile-table.ts'
import { examine } from '../../agent/operator/etcd/reconcile.ts'
import { recordLine, remember } from '../../agent/operator/etcd/record.ts'
import { clientOf, operatorFiles } from '../integration/etcd/rig.ts'
import { etcdAuth } from '../support/etcd-auth.ts'
import { type RealEtcd, startRealEtcd } from '../support/real-etcd.ts'
import { measureBareWrites } from './etcd/bare.ts'
import { type Latency, measureCalico } from './etcd/calico.ts'
import { measureProvision, type Subject } from './etcd/measure.ts'
import { seedEtcd } from './etcd/seed.ts'
import { measureWatch, withWatch } from './etcd/watch.ts'
import { rounded } from './summary.ts'

const { values: options } = parseArgs({
  options: {
    nodes: { type: 'string', default: '100,1000' },
    'apply-up-to': { type: 'string', default: '1000' },
    'max-busy': { type: 'string', default: '100%,default' },
  },
})
const applyUpTo = Number(options['apply-up-to'])
/** No single run lasts longer. */
const limitSeconds = 600
const idleMs = 20_000
const tenMore = 10
/** The bound is one of a minute. */
const minuteMs = 60_000
const say = (text: string): boolean => process.stderr.write(`${text}\n`)

const report: Record<string, object> = {}
for (const count of options.nodes.split(',').map(Number)) {
  say(`${count} nodes`)
  report[count] = count <= applyUpTo ? await measureApplied(count) : await measureSeeded(count)
}
process.stdout.write(`${JSON.stringify({ node: process.version, nodes: report }, null, 2)}\n`)
process.exit(0)

function named(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `node${index}`)
}

function desiredFor(nodes: readonly string[]): DesiredState {
  const components = ['calico-node', 'calico-cni']
  return desiredState({ profiles: builtInProfiles, components, naming: 'node', nodes, versions: [], strict: false })
}

async function withEtcd<Result>(use: (subject: Subject, etcd: RealEtcd) => Promise<Result>) {
  const etcd = await startRealEtcd()
  const identity = await etcd.client('root')
  await etcdAuth(identity).enable()
  const operator = operatorFiles(identity)
  try {
    return await use({ identity, env: operator.env }, etcd)
  } finally {
    operator.remove()
    await etcd.stop()
  }
}

async function measureApplied(count: number): Promise<object> {
  const nodes = named(count)
  const bare = await withEtcd(async ({ identity }) => {
    const api = clientOf(identity)
    const { plan } = await examine(api, desiredFor(nodes), { prune: false })
    api.close()
    return await measureBareWrites(identity, plan)
  })
  say(`  bare writes: ${bare.seconds} s, etcd ${bare.etcd.cpuSeconds} s`)
  return await withEtcd(async (subject, etcd) => {
    const apply = await measureProvision(subject, ['apply', '--yes'], nodes, limitSeconds)
    say(`  apply: ${apply.seconds} s, etcd ${apply.etcd.cpuSeconds} s`)
    const ratio = rounded(apply.seconds / bare.seconds)
    return { bare, apply, applyToBareRatio: ratio, ...(await measureInStep(subject, etcd, nodes)) }
  })
}

async function measureSeeded(count: number): Promise<object> {
  const nodes = named(count)
  return await withEtcd(async (subject, etcd) => {
    const desired = desiredFor(nodes)
    await seedEtcd(etcd, desired)
    const api = clientOf(subject.identity)
    await remember(
      api,
      [...desired.users.keys()].map((user) => recordLine('user', user)),
    )
    await remember(
      api,
      [...desired.roles.keys()].map((role) => recordLine('role', role)),
    )
    api.close()
    say('  seeded')
    const applyInStep = await measureProvision(subject, ['apply', '--yes'], nodes, limitSeconds)
    say(`  apply in step: ${applyInStep.seconds} s`)
    return { applyInStep, ...(await measureInStep(subject, etcd, nodes)) }
  })
}

/** The same three questions whatever the size: all in step, in step but somebody has changed something else, one node more. */
async function measureInStep(subject: Subject, etcd: RealEtcd, nodes: readonly string[]): Promise<object> {
  const plans = []
  for (let run = 0; run < 3; run++) plans.push(await measureProvision(subject, ['plan'], nodes, limitSeconds))
  const auth = etcdAuth(subject.identity)
  await auth.addRole('somebody-elses')
  const planReadingAll = await measureProvision(subject, ['plan'], nodes, limitSeconds)
  say(`  plan: ${plans.map(({ seconds }) => seconds).join(', ')} s; reading all: ${planReadingAll.seconds} s`)
  const oneNodeMore = await measureProvision(subject, ['apply', '--yes'], [...nodes, 'one-more'], limitSeconds)
  const changedAt = performance.now()
  await auth.addUser('another')
  const oneChangeSeconds = rounded((performance.now() - changedAt) / 1000, 3)
  say(
    `  one node more: ${oneNodeMore.seconds} s, etcd ${oneNodeMore.etcd.cpuSeconds} s; one change: ${oneChangeSeconds} s`,
  )
  const watch = await measureWatch(subject, [...nodes, 'one-more'], limitSeconds)
  say(
    `  watch: in step after ${watch.inStepSeconds} s; one node more: ${watch.oneNodeSeconds} s, etcd ${watch.etcd.cpuSeconds} s`,
  )
  const calico = await measureBeside(subject, etcd, [...nodes, 'one-more', 'watched-one-more'])
  return { planInStep: plans, planReadingAll, oneNodeMore, oneChangeSeconds, watch, calico }
}

/** What Calico notices of ten nodes more: the latency over one minute each, in which they come without a bound or with it. */
async function measureBeside(subject: Subject, etcd: RealEtcd, nodes: readonly string[]): Promise<object> {
  const measureIdle = async (): Promise<Latency> => {
    const idle = await measureCalico(etcd, 'node0', delay(idleMs))
    say(`  calico idle: p50 ${idle.p50Ms} ms, p99 ${idle.p99Ms} ms`)
    return idle
  }
  let before = await measureIdle()
  const ways: Record<string, object> = {}
  let all = nodes
  for (const name of options['max-busy'].split(',')) {
    const bound = name === 'default' ? [] : ['--max-busy', name]
    const more = named(tenMore).map((node) => `${node}-${name.replace('%', '')}`)
    const way = await withWatch(subject, all, { limitSeconds, args: bound }, async (watch) => {
      const minute = delay(minuteMs)
      const latency = measureCalico(etcd, 'node0', minute)
      const addedAt = performance.now()
      watch.add(more)
      let made = 0
      let lastSeconds = 0
      const follow = async (): Promise<void> => {
        for (const node of more) {
          lastSeconds = rounded(((await watch.until('subject', `user calico-cni:${node}`)) - addedAt) / 1000)
          made++
        }
      }
      // The minute may be over before they all are there.
      void follow().catch(() => {})
      await minute
      return { ...(await latency), nodes: made, lastSeconds }
    })
    // The next watch begins with what there is, or it would spend its first minute on what this one has left.
    all = [...all, ...more.slice(0, way.nodes)]
    // On a machine with other work idle is not one figure: that of before and after, half and half.
    const after = await measureIdle()
    const p99ToIdle = rounded((2 * way.p99Ms) / (before.p99Ms + after.p99Ms))
    say(`  calico beside ten nodes more (${name}): p99 ${way.p99Ms} ms (${p99ToIdle} of idle), ${way.nodes} nodes`)
    ways[name] = { ...way, idleP99Ms: [before.p99Ms, after.p99Ms], p99ToIdle }
    before = after
  }
  return { tenNodesMore: ways }
}
