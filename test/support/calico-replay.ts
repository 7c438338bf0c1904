/**
 * Owns playing recorded requests of Calico's programs (calico-traces.ts) against a real etcd as one of its users: each as a
 * call of its own, of the kind that was recorded. Values are empty objects; etcd's answer is about rights alone.
 */
import type { KeyRange } from '../../agent/operator/etcd/grants.ts'
import type { Naming } from '../../agent/operator/etcd/profile-table.ts'
import { type Ask, profileOf } from './calico-rights.ts'
import { node, type Request } from './calico-traces.ts'
import {
  bytes,
  type EtcdAnswer,
  type EtcdCalls,
  type EtcdIdentity,
  fieldsOf,
  integer,
  openEtcdCalls,
} from './etcd-grpc.ts'

const permissionDenied = 7

/** Whether etcd refused. @throws where it did neither */
async function isDenied(calls: EtcdCalls, request: Request): Promise<boolean> {
  const answer = await play(calls, request)
  if (answer.ok) return request.operation === 'watch' && isCanceled(answer.message)
  if (answer.code === permissionDenied) return true
  // There is nothing to compact yet, or it has been: whoever gets to know that has the right.
  if (request.operation === 'compact' && /required revision/.test(answer.message)) return false
  throw new Error(`${request.operation} ${request.recorded}: ${answer.code} ${answer.message}`)
}

async function play(calls: EtcdCalls, { operation, range, previous, ran }: Request): Promise<EtcdAnswer> {
  const keys = keyFields(range)
  const put = [bytes(1, encoded(range.key)), bytes(2, '{}'), ...(previous ? [integer(4, 1)] : [])]
  const remove = [...keys, ...(previous ? [integer(3, 1)] : [])]
  switch (operation) {
    case 'range':
      return await calls.call('/etcdserverpb.KV/Range', keys)
    case 'put':
      return await calls.call('/etcdserverpb.KV/Put', put)
    case 'delete':
      return await calls.call('/etcdserverpb.KV/DeleteRange', remove)
    case 'watch':
      return await calls.first('/etcdserverpb.Watch/Watch', [bytes(1, Buffer.concat(keys))])
    case 'txn-compare':
      // The version is that of an absent key: whether it is so does not matter.
      return await transaction(
        calls,
        bytes(1, Buffer.concat([integer(2, 0), bytes(3, encoded(range.key)), integer(4, 0)])),
      )
    case 'txn-range':
      return await transaction(calls, branch(ran, bytes(1, Buffer.concat(keys))))
    case 'txn-put':
      return await transaction(calls, branch(ran, bytes(2, Buffer.concat(put))))
    case 'txn-delete':
      return await transaction(calls, branch(ran, bytes(3, Buffer.concat(remove))))
    case 'compact':
      return await calls.call('/etcdserverpb.KV/Compact', [integer(1, 1)])
    case 'lease-grant':
      return await calls.call('/etcdserverpb.Lease/LeaseGrant', [integer(1, 60)])
  }
}

function transaction(calls: EtcdCalls, part: Buffer): Promise<EtcdAnswer> {
  return calls.call('/etcdserverpb.KV/Txn', [part])
}

/** Without a condition, the branch `success` (2) is taken and `failure` (3) is not. */
function branch(ran: boolean, operation: Buffer): Buffer {
  return bytes(ran ? 2 : 3, operation)
}

function keyFields({ key, end }: KeyRange): Buffer[] {
  return [bytes(1, encoded(key)), ...(end === '' ? [] : [bytes(2, encoded(end))])]
}

function encoded(key: string): Buffer {
  return Buffer.from(key, 'latin1')
}

/** etcd answers a watch that it refuses with "canceled" and a reason (fields 4 and 6 of WatchResponse). */
function isCanceled(message: Buffer): boolean {
  const [reason] = fieldsOf(message, 6)
  if (reason === undefined) return false
  if (!/permission denied/i.test(reason.toString())) throw new Error(`watch canceled: ${reason.toString()}`)
  return true
}

/** A request that is asked for in many situations is played once. */
export function distinct(asks: readonly Ask[]): readonly Ask[] {
  const id = ({ trace: { program }, request: { operation, recorded, previous, ran } }: Ask): string =>
    `${program} ${operation} ${recorded} ${previous} ${ran}`
  return [...new Map(asks.map((ask) => [id(ask), ask])).values()]
}

export interface Replay {
  /** What etcd denied of it, with one connection a user and everything at once. */
  denied(asks: readonly Ask[], naming: Naming): Promise<readonly Ask[]>
  close(): void
}

/** @param identityOf the client certificate of a user */
export function openReplay(identityOf: (user: string) => Promise<EtcdIdentity>): Replay {
  const connections = new Map<string, EtcdCalls>()
  const callsOf = async (program: string, naming: Naming): Promise<EtcdCalls> => {
    const user = naming === 'node' && profileOf(program).scope === 'node' ? `${program}:${node}` : program
    const identity = connections.has(user) ? undefined : await identityOf(user)
    const calls = connections.get(user) ?? openEtcdCalls(identity ?? missing(user))
    connections.set(user, calls)
    return calls
  }
  return {
    async denied(asks, naming) {
      const once = distinct(asks)
      const programs = [...new Set(once.map(({ trace }) => trace.program))]
      const calls = new Map(
        await Promise.all(programs.map(async (program) => [program, await callsOf(program, naming)] as const)),
      )
      const answers = await Promise.all(
        once.map(({ trace, request }) => isDenied(calls.get(trace.program) ?? missing(trace.program), request)),
      )
      return once.filter((_, index) => answers[index] === true)
    },
    close: () => {
      for (const calls of connections.values()) calls.close()
    },
  }
}

function missing(name: string): never {
  throw new Error(`no connection of ${name}`)
}
