/**
 * Owns `npm run bench:etcd`: plan, apply and watch of `provision` on a real etcd, for so many nodes with two components each, as
 * one JSON on standard output. `--nodes 100,1000,10000`. Above `--apply-up-to` (1000) the users and roles are put into
 * etcd's database directly, since the time of an apply grows with the square of their number (docs/etcd.md).
 */
import { parseArgs } from 'node:util'
import { openEtcd } from '../../agent/etcd/client.ts'
import { type DesiredState, desiredState } from '../../agent/etcd/desired.ts'
import { builtInProfiles } from '../../agent/etcd/profile-table.ts'
import { examine } from '../../agent/etcd/reconcile.ts'
import { recordLine, remember } from '../../agent/etcd/record.ts'
import { operatorFiles } from '../integration/etcd/rig.ts'
import { etcdAuth } from '../support/etcd-auth.ts'
import { startRealEtcd } from '../support/real-etcd.ts'
import { measureBareWrites } from './etcd/bare.ts'
import { measureProvision, type Subject } from './etcd/measure.ts'
import { seedEtcd } from './etcd/seed.ts'
import { measureWatch } from './etcd/watch.ts'
import { rounded } from './summary.ts'

const { values: options } = parseArgs({
  options: { nodes: { type: 'string', default: '100,1000,10000' }, 'apply-up-to': { type: 'string', default: '1000' } },
})
const applyUpTo = Number(options['apply-up-to'])
/** No single run lasts longer. */
const limitSeconds = 600
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

async function withEtcd<Result>(
  use: (subject: Subject, etcd: Awaited<ReturnType<typeof startRealEtcd>>) => Promise<Result>,
) {
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
  const bareSeconds = await withEtcd(async ({ identity }) => {
    const api = openEtcd({ ...identity, endpoints: [identity.endpoint] })
    const { plan } = await examine(api, desiredFor(nodes), { prune: false, now: () => performance.now() })
    api.close()
    return await measureBareWrites(identity, plan)
  })
  say(`  bare writes: ${bareSeconds} s`)
  return await withEtcd(async (subject) => {
    const apply = await measureProvision(subject, ['apply', '--yes'], nodes, limitSeconds)
    say(`  apply: ${apply.seconds} s`)
    const ratio = rounded(apply.seconds / bareSeconds)
    return { bareSeconds, apply, applyToBareRatio: ratio, ...(await measureInStep(subject, nodes)) }
  })
}

async function measureSeeded(count: number): Promise<object> {
  const nodes = named(count)
  return await withEtcd(async (subject, etcd) => {
    const desired = desiredFor(nodes)
    await seedEtcd(etcd, desired)
    const api = openEtcd({ ...subject.identity, endpoints: [subject.identity.endpoint] })
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
    return { applyInStep, ...(await measureInStep(subject, nodes)) }
  })
}

/** The same three questions whatever the size: all in step, in step but somebody has changed something else, one node more. */
async function measureInStep(subject: Subject, nodes: readonly string[]): Promise<object> {
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
  say(`  one node more: ${oneNodeMore.seconds} s; one change: ${oneChangeSeconds} s`)
  const watch = await measureWatch(subject, [...nodes, 'one-more'], limitSeconds)
  say(`  watch: in step after ${watch.inStepSeconds} s; one node more: ${watch.oneNodeSeconds} s`)
  return { planInStep: plans, planReadingAll, oneNodeMore, oneChangeSeconds, watch }
}
