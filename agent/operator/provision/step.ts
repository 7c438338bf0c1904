/** Owns one look at etcd and the nodes: who has departed is remembered, what is new is made, what is over is removed. */
import type { EtcdAuthApi } from '../etcd/api.ts'
import type { AuthCache } from '../etcd/auth-snapshot.ts'
import { type DesiredState, rolePrefix } from '../etcd/desired.ts'
import { type ApplyOptions, reconcile } from '../etcd/reconcile.ts'
import { readRecord } from '../etcd/record.ts'
import { forgetDeparted, readDeparted, rememberDeparted } from './departed.ts'
import { type NodesPlan, planNodes } from './grace.ts'

export interface StepOptions extends ApplyOptions {
  readonly desired: (nodes: readonly string[]) => DesiredState
  /** Components with a user for each node. */
  readonly components: readonly string[]
  readonly present: ReadonlySet<string>
  readonly isCurrent: boolean
  /** Nodes whose users are known to be in place; undefined: everything is looked at. */
  readonly inPlace: ReadonlySet<string> | undefined
  readonly nowMs: number
  readonly graceMs: number
  readonly cache: AuthCache
}

export interface StepOutcome extends NodesPlan {
  readonly changes: number
  readonly notes: readonly string[]
  /** Users and roles that are not as they should be, and that somebody else must look at. */
  readonly refusals: readonly string[]
  /** Nodes with users when the step is over. */
  readonly owned: number
  /** For the next step. */
  readonly inPlace: ReadonlySet<string>
  /** There is more to do at once: a step makes or removes one node, so that a new one never waits for many. */
  readonly isMore: boolean
}

export async function reconcileNodes(api: EtcdAuthApi, options: StepOptions): Promise<StepOutcome> {
  const { desired, components, present, inPlace, nowMs } = options
  const [record, departed] = await Promise.all([readRecord(api), readDeparted(api)])
  const owned = nodesOf(record.made.users, components)
  const plan = planNodes({ ...options, owned, departed: departed.since })
  // First of all: from then on no other replica removes a node that is back.
  await forgetDeparted(api, departed, plan.settled, options)
  await rememberDeparted(api, plan.vanished, nowMs, options)
  const { make, remove, isMore } = planPart(plan.remove, present, inPlace)
  const removed = new Set(remove)
  const remaining = [...new Set([...present, ...owned])].filter((node) => !removed.has(node))
  const prune = new Set(remove.flatMap((node) => namesOf(node, components)))
  const outcome = await reconcile(api, desired((make ?? remaining).toSorted()), { ...options, prune, around: true })
  await forgetDeparted(api, departed, remove, options)
  const done = make === undefined ? present : new Set([...(inPlace ?? []), ...make].filter((node) => present.has(node)))
  return { ...plan, ...outcome, remove, owned: remaining.length, inPlace: done, isMore }
}

/**
 * The part of what is due that one step does. With thousands of users a node takes its time, and new nodes are in more of a hurry
 * than departed ones. `make` undefined: everything is looked at.
 */
function planPart(due: readonly string[], present: ReadonlySet<string>, inPlace: ReadonlySet<string> | undefined) {
  const missing = inPlace === undefined ? [] : [...present].filter((node) => !inPlace.has(node))
  const make = inPlace === undefined ? undefined : missing.slice(0, 1)
  const remove = missing.length > 0 ? [] : due.slice(0, 1)
  return { make, remove, isMore: missing.length > 1 || due.length > remove.length }
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
