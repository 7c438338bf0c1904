/**
 * Owns what etcd remembers of departed nodes: a key each, with the moment. There it survives every restart, and all
 * replicas see the same: one that has seen the node come back takes the key away, and no other removes the node then.
 */
import { isoTime } from '../../core/clock.ts'
import { forEach, type PoolOptions } from '../engine/pool.ts'
import type { EtcdAuthApi, StoredKey } from '../etcd/api.ts'
import { recordPrefix } from '../etcd/record.ts'

const departedPrefix = `${recordPrefix}departed/`

export interface DepartedNodes {
  /** Milliseconds since the epoch. */
  readonly since: ReadonlyMap<string, number>
  readonly keys: ReadonlyMap<string, StoredKey>
}

export async function readDeparted(api: EtcdAuthApi): Promise<DepartedNodes> {
  const since = new Map<string, number>()
  const keys = new Map<string, StoredKey>()
  for (const stored of await api.list(departedPrefix)) {
    const node = stored.key.slice(departedPrefix.length)
    const atMs = Date.parse(stored.value)
    keys.set(node, stored)
    // Nonsense counts as the far future: the grace period starts anew.
    since.set(node, Number.isNaN(atMs) ? Number.MAX_SAFE_INTEGER : atMs)
  }
  return { since, keys }
}

export async function rememberDeparted(
  api: EtcdAuthApi,
  nodes: readonly string[],
  nowMs: number,
  pool: PoolOptions,
): Promise<void> {
  const value = isoTime(nowMs)
  await forEach(nodes, pool, (node) => api.put(`${departedPrefix}${node}`, value))
}

/** Only what was read: a key that another replica has written since stays. */
export async function forgetDeparted(
  api: EtcdAuthApi,
  { keys }: DepartedNodes,
  nodes: readonly string[],
  pool: PoolOptions,
): Promise<void> {
  const known = nodes.map((node) => keys.get(node)).filter((key) => key !== undefined)
  await forEach(known, pool, async (key) => void (await api.replace([key], [])))
}
