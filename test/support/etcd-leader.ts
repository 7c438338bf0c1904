/** Owns finding the leader of a cluster, to kill it. */
import { callEtcd } from './etcd-grpc.ts'
import type { RealEtcd } from './real-etcd.ts'

/** Answers with the member that was the leader. */
export async function killLeader(members: readonly RealEtcd[]): Promise<RealEtcd> {
  for (const member of members) {
    const answer = await callEtcd(await member.client('root'), '/etcdserverpb.Maintenance/Status')
    if (!answer.ok) continue
    const { id, leader } = statusOf(answer.message)
    if (id !== leader) continue
    await member.kill()
    return member
  }
  throw new Error('no member is the leader')
}

/** Header (1) has member_id (2); `leader` is field 4. Both are varints; only whether they are equal matters. */
function statusOf(message: Buffer): { id: string; leader: string } {
  const top = varints(message)
  const header = varints(top.get(1) as Buffer)
  return { id: String(header.get(2)), leader: String(top.get(4)) }
}

function varints(message: Buffer): Map<number, Buffer | bigint> {
  const fields = new Map<number, Buffer | bigint>()
  let at = 0
  const next = (): bigint => {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = message.readUInt8(at++)
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
  }
  while (at < message.length) {
    const tag = Number(next())
    const value = next()
    if ((tag & 7) === 2) {
      fields.set(tag >> 3, message.subarray(at, at + Number(value)))
      at += Number(value)
    } else {
      fields.set(tag >> 3, value)
    }
  }
  return fields
}
