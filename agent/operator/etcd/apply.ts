/** Owns executing a plan: the record first, then phase after phase, each change told to whoever keeps the log. */
import type { EtcdAuthApi } from './api.ts'
import type { Pace } from './pace.ts'
import { type Change, changesOf, type Made, type Plan } from './plan.ts'
import { forEach, type PoolOptions } from './pool.ts'
import { recordLine, remember } from './record.ts'

export interface ApplyOptions extends PoolOptions {
  readonly changed: (change: Change) => void
  /** Default: as fast as etcd can. */
  readonly pace?: Pace
}

const takingAway: ReadonlySet<Change['do']> = new Set(['unassign-role', 'revoke', 'delete-user', 'delete-role'])

/** Rejects with the first failure. What was done until then stays done, and the next plan begins there. */
export async function applyChanges(api: EtcdAuthApi, plan: Plan, made: Made, options: ApplyOptions): Promise<void> {
  const lines = changesOf(plan).flatMap((change) => {
    if (change.do === 'add-user' && !made.users.has(change.user)) return [recordLine('user', change.user)]
    return change.do === 'add-role' && !made.roles.has(change.role) ? [recordLine('role', change.role)] : []
  })
  await remember(api, lines)
  for (const phase of plan.phases) {
    await forEach(phase, options, async (change) => {
      // A role that nobody has is the one change for which etcd computes nothing.
      if (options.pace === undefined || change.do === 'add-role') await applyChange(api, change)
      else await options.pace.change(api, () => applyChange(api, change), takingAway.has(change.do))
      options.changed(change)
    })
  }
}

async function applyChange(api: EtcdAuthApi, change: Change): Promise<void> {
  switch (change.do) {
    case 'add-role':
      return await api.addRole(change.role)
    case 'grant':
      return await api.grant(change.role, change.grant)
    case 'add-user':
      return await api.addUser(change.user)
    case 'assign-role':
      return await api.assignRole(change.user, change.role)
    case 'unassign-role':
      return await api.unassignRole(change.user, change.role)
    case 'revoke':
      return await api.revoke(change.role, change.grant)
    case 'delete-user':
      return await api.deleteUser(change.user)
    case 'delete-role':
      return await api.deleteRole(change.role)
  }
}
