/**
 * Owns one look at etcd and the nodes: who has departed is remembered, what is new is made, what is over is removed.
 *
 * etcd itself remembers departed nodes, by a key each with the moment. There it survives every restart, and all replicas see the
 * same: one that has seen the node come back takes the key away, and no other removes the node then.
 */
import { isoTime } from '../../core/clock.ts'
import { forEach, type PoolOptions } from '../engine/pool.ts'
import type { EtcdAuthApi, StoredKey } from '../etcd/api.ts'
import type { AuthCache } from '../etcd/auth-snapshot.ts'
import { type DesiredState, rolePrefix } from '../etcd/desired.ts'
import { type ApplyOptions, type Outcome, reconcile } from '../etcd/reconcile.ts'
import { readRecord, recordPrefix } from '../etcd/record.ts'
import { type NodesNow, type NodesPlan, planNodes } from './grace.ts'

export interface StepOptions extends ApplyOptions, Pick<NodesNow, 'present' | 'isCurrent' | 'nowMs' | 'graceMs'> {
  readonly desired: (nodes: readonly string[]) => DesiredState
  /** Components with a user for each node. */
  readonly components: readonly string[]
  /** Nodes whose users are known to be in place; undefined: everything is looked at. */
  readonly inPlace: ReadonlySet<string> | undefined
  readonly cache: AuthCache
}

export interface StepOutcome extends NodesPlan, Outcome {
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
  // What is no time is NaN, and later than any: the grace period starts anew.
  const since = new Map([...departed].map(([node, { value }]) => [node, Date.parse(value)]))
  const plan = planNodes({ ...options, owned, departed: since })
  // First of all: from then on no other replica removes a node that is back.
  await forgetDeparted(api, departed, plan.settled, options)
  await forEach(plan.vanished, options, (node) => api.put(`${departedPrefix}${node}`, isoTime(nowMs)))
  const { make, remove, isMore } = planPart(plan.remove, present, inPlace)
  const remaining = new Set([...present, ...owned])
  for (const node of remove) remaining.delete(node)
  const prune = new Set(remove.flatMap((node) => namesOf(node, components)))
  const wanted = desired((make ?? [...remaining]).toSorted())
  const outcome = await reconcile(api, wanted, { ...options, prune, around: true })
  await forgetDeparted(api, departed, remove, options)
  const done = make === undefined ? present : new Set([...(inPlace ?? []), ...make].filter((node) => present.has(node)))
  return { ...plan, ...outcome, remove, owned: remaining.size, inPlace: done, isMore }
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

const departedPrefix = `${recordPrefix}departed/`

async function readDeparted(api: EtcdAuthApi): Promise<ReadonlyMap<string, StoredKey>> {
  const keys = await api.list(departedPrefix)
  return new Map(keys.map((stored) => [stored.key.slice(departedPrefix.length), stored]))
}

/** Only what was read: a key that another replica has written since stays. */
async function forgetDeparted(
  api: EtcdAuthApi,
  departed: ReadonlyMap<string, StoredKey>,
  nodes: readonly string[],
  pool: PoolOptions,
): Promise<void> {
  const known = nodes.map((node) => departed.get(node)).filter((key) => key !== undefined)
  await forEach(known, pool, async (key) => void (await api.replace([key], [])))
}
