/**
 * Owns bringing etcd in step: look, plan, apply, and look again until nothing differs. Safe to be killed at any call and
 * to run twice at once. The one entry for whoever has a desired state: the commands, and whoever watches nodes.
 */
import { AgentError } from '../errors.ts'
import type { EtcdAuthApi } from './api.ts'
import { applyChanges } from './apply.ts'
import type { DesiredState } from './desired.ts'
import { type Change, changesOf, type Made, type Plan, type Prune, planChanges } from './plan.ts'
import type { PoolOptions } from './pool.ts'
import { readActual } from './read.ts'
import { digestOf, type Record, readReceipt, readRecord, recordLine, tidy, writeReceipt } from './record.ts'

export interface ReconcileOptions extends PoolOptions {
  readonly prune: Prune
  /** Called after each change that was made. */
  readonly changed: (change: Change) => void
}

export interface Examination {
  readonly plan: Plan
  /** Revision of etcd's auth store before the look; undefined where etcd does not tell. */
  readonly revision: string | undefined
  readonly authEnabled: boolean
  /** Undefined: a receipt made it unnecessary to read everything. */
  readonly record: Record | undefined
}

/** Each round repairs what a second one at work has done in between; two of the same mind agree in the second. */
const mostRounds = 6

/**
 * What differs. Where a receipt says that all was in step at the auth revision that etcd still has, that is three calls
 * instead of one for every user and role. Only with authentication on: without it, anybody could have written the receipt.
 */
export async function examine(
  api: EtcdAuthApi,
  desired: DesiredState,
  options: Pick<ReconcileOptions, 'prune'> & PoolOptions,
): Promise<Examination> {
  const { enabled, revision } = await api.authStatus()
  if (enabled && revision !== undefined) {
    const receipt = await readReceipt(api)
    if (receipt?.revision === revision && receipt.digest === digestOf(desired, options.prune)) {
      return {
        plan: { phases: [], refusals: [], notes: receipt.notes },
        revision,
        authEnabled: true,
        record: undefined,
      }
    }
  }
  const record = await readRecord(api)
  const actual = await readActual(api, desired, relevantTo(desired, options.prune, record.made), options)
  return { plan: planChanges(desired, actual, options), revision, authEnabled: enabled, record }
}

/** With a list of what may go, nothing else that is ours need be read: one new node among thousands is a few calls. */
function relevantTo({ users, roles }: DesiredState, prune: Prune, made: Made): Made {
  if (typeof prune === 'boolean') return made
  const among = (names: ReadonlySet<string>, wanted: ReadonlyMap<string, unknown>): Set<string> =>
    new Set([...names].filter((name) => wanted.has(name) || prune.has(name)))
  return { users: among(made.users, users), roles: among(made.roles, roles) }
}

export interface Outcome {
  readonly changes: number
  readonly notes: readonly string[]
}

/**
 * @param first what `examine` has just found, where that was shown to somebody who said yes to it
 * @throws AgentError `etcd-conflict` before any change; anything else leaves a part done, which the next run completes
 */
export async function reconcile(
  api: EtcdAuthApi,
  desired: DesiredState,
  options: ReconcileOptions,
  first?: Examination,
): Promise<Outcome> {
  let changes = 0
  const gone = new Set<string>()
  let found = first ?? (await examine(api, desired, options))
  for (let round = 1; round <= mostRounds; round++) {
    const { plan, record } = found
    if (plan.refusals.length > 0) throw new AgentError('etcd-conflict', plan.refusals.join('\n'))
    const planned = changesOf(plan)
    if (planned.length === 0) {
      if (record !== undefined) await settle(api, desired, options, { ...found, record }, gone)
      return { changes, notes: plan.notes }
    }
    const made = record?.made ?? { users: new Set(), roles: new Set() }
    const changed = (change: Change): void => {
      changes++
      for (const line of goneLines(change)) gone.add(line)
      options.changed(change)
    }
    try {
      await applyChanges(api, plan, made, { ...options, changed })
    } catch (error) {
      // A user or role went away between the look and the change: look again.
      if (!(error instanceof AgentError && error.code === 'etcd-contended')) throw error
    }
    found = await examine(api, desired, options)
  }
  throw new AgentError('etcd-contended', `still not in step after ${mostRounds} rounds`)
}

/** Cleans up and leaves the receipt. None of it is needed for what the caller wanted. */
async function settle(
  api: EtcdAuthApi,
  desired: DesiredState,
  options: ReconcileOptions,
  { plan, revision, record }: Examination & { readonly record: Record },
  gone: ReadonlySet<string>,
): Promise<void> {
  await tidy(api, record, gone)
  if (revision === undefined) return
  // Somebody may have changed something while we looked.
  const { enabled, revision: now } = await api.authStatus()
  if (enabled && now === revision) {
    await writeReceipt(api, { revision, digest: digestOf(desired, options.prune), notes: plan.notes })
  }
}

function goneLines(change: Change): string[] {
  if (change.do === 'delete-user') return [recordLine('user', change.user)]
  return change.do === 'delete-role' ? [recordLine('role', change.role)] : []
}
