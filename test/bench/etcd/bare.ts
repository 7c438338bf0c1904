/** Owns the bare write rate: the changes of a plan as plain etcd3 calls, without plan, record or check. */
import { Etcd3 } from 'etcd3'
import type { Change, EtcdPlan } from '../../../agent/operator/etcd/plan.ts'
import type { EtcdIdentity } from '../../support/etcd-grpc.ts'
import { rounded } from '../summary.ts'
import { type Work, workOf, workSince } from './measure.ts'

const atOnce = 16
const permissionTypes = { read: 'Read', write: 'Write', readwrite: 'Readwrite' } as const

export interface BareWrites {
  readonly seconds: number
  readonly etcd: Work
}

export async function measureBareWrites(identity: Required<EtcdIdentity>, plan: EtcdPlan): Promise<BareWrites> {
  const { endpoint, ca, cert, key } = identity
  const before = await workOf(identity)
  const etcd = new Etcd3({
    hosts: endpoint,
    credentials: { rootCertificate: Buffer.from(ca), privateKey: Buffer.from(key), certChain: Buffer.from(cert) },
  })
  const startedAt = performance.now()
  for (const phase of plan.phases) {
    const left = phase.values()
    const worker = async (): Promise<void> => {
      for (const change of left) await write(etcd, change)
    }
    await Promise.all(Array.from({ length: atOnce }, worker))
  }
  etcd.close()
  const seconds = rounded((performance.now() - startedAt) / 1000)
  return { seconds, etcd: await workSince(before, identity) }
}

async function write({ auth }: Etcd3, change: Change): Promise<unknown> {
  switch (change.do) {
    case 'add-role':
      return await auth.roleAdd({ name: change.role })
    case 'grant': {
      const { access, key, end } = change.grant
      return await auth.roleGrantPermission({
        name: change.role,
        perm: { permType: permissionTypes[access], key: Buffer.from(key), range_end: Buffer.from(end) },
      })
    }
    case 'add-user':
      return await auth.userAdd({ name: change.user, options: { no_password: true } })
    case 'assign-role':
      return await auth.userGrantRole({ user: change.user, role: change.role })
    case 'revoke':
    case 'unassign-role':
    case 'delete-user':
    case 'delete-role':
      throw new Error(`a first apply does not ${change.do}`)
  }
}
