/** Owns one look at etcd and the nodes: what is gone is remembered, what is new is made, what is over is removed. */
import type { EtcdAuthApi } from '../etcd/api.ts'
import { type DesiredState, rolePrefix } from '../etcd/desired.ts'
import type { Memory } from '../etcd/memory.ts'
import type { Change } from '../etcd/plan.ts'
import type { PoolOptions } from '../etcd/pool.ts'
import { reconcile } from '../etcd/reconcile.ts'
import { readRecord } from '../etcd/record.ts'
import { forgetGone, readGone, rememberGone } from './gone.ts'
import { type NodesPlan, planNodes } from './grace.ts'

export interface StepOptions extends PoolOptions {
  readonly desired: (nodes: readonly string[]) => DesiredState
  /** Components with a user for each node. */
  readonly components: readonly string[]
  readonly present: ReadonlySet<string>
  readonly isCurrent: boolean
  /** Nodes whose users are known to be in place; undefined: everything is looked at. */
  readonly inPlace: ReadonlySet<string> | undefined
  readonly nowMs: number
  readonly graceMs: number
  readonly memory: Memory
  readonly changed: (change: Change) => void
}

export interface StepOutcome extends NodesPlan {
  readonly changes: number
  readonly notes: readonly string[]
  /** Users and roles that are not as they should be, and that somebody else must look at. */
  readonly refusals: readonly string[]
  /** Nodes with users when the step is over. */
  readonly owned: number
}

export async function reconcileNodes(api: EtcdAuthApi, options: StepOptions): Promise<StepOutcome> {
  const { desired, components, present, inPlace, nowMs } = options
  const [record, gone] = await Promise.all([readRecord(api), readGone(api)])
  const owned = nodesOf(record.made.users, components)
  const plan = planNodes({ ...options, owned, gone: gone.since })
  // First of all: from then on no other replica removes a node that is back.
  await forgetGone(api, gone, plan.settled, options)
  await rememberGone(api, plan.vanished, nowMs, options)
  const removed = new Set(plan.remove)
  const kept = [...new Set([...present, ...owned])].filter((node) => !removed.has(node))
  const wanted = inPlace === undefined ? kept : [...present].filter((node) => !inPlace.has(node))
  const prune = new Set(plan.remove.flatMap((node) => namesOf(node, components)))
  const outcome = await reconcile(api, desired(wanted.toSorted()), { ...options, prune, around: true })
  await forgetGone(api, gone, plan.remove, options)
  return { ...plan, ...outcome, owned: kept.length }
}

/** Users and roles of one node. */
function namesOf(node: string, components: readonly string[]): string[] {
  return components.flatMap((component) => [`${component}:${node}`, `${rolePrefix}${component}:${node}`])
}

function nodesOf(users: ReadonlySet<string>, components: readonly string[]): Set<string> {
  const nodes = new Set<string>()
  for (const user of users) {
    const colon = user.indexOf(':')
    if (colon > 0 && components.includes(user.slice(0, colon))) nodes.add(user.slice(colon + 1))
  }
  return nodes
}
