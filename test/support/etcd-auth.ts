/** Owns etcd's users, roles and grants for tests, over etcd's own calls and not over the code that is being tested. */
import { bytes, callEtcd, type EtcdIdentity, fieldsOf, integer } from './etcd-grpc.ts'

export interface EtcdAuth {
  /** Without a password the user can only be the common name of a certificate. */
  addUser(name: string, password?: string): Promise<void>
  deleteUser(name: string): Promise<void>
  addRole(name: string): Promise<void>
  /** The keys that start with `prefix`. */
  grantPrefix(role: string, access: EtcdAccess, prefix: string): Promise<void>
  grantRole(user: string, role: string): Promise<void>
  revokeRole(user: string, role: string): Promise<void>
  users(): Promise<string[]>
  roles(): Promise<string[]>
  rolesOf(user: string): Promise<string[]>
  /** Adds the user `root` with the role `root` if they are not there, and turns authentication on. */
  enable(options?: { rootPassword?: string }): Promise<void>
  disable(): Promise<void>
}

export type EtcdAccess = 'read' | 'write' | 'readwrite'

const permissionTypes: Readonly<Record<EtcdAccess, number>> = { read: 0, write: 1, readwrite: 2 }

/**
 * `administrator` is anybody before authentication is enabled, and a certificate with the common name `root` after.
 * Every function rejects with etcd's message when etcd refuses.
 */
export function etcdAuth(administrator: EtcdIdentity): EtcdAuth {
  const call = async (method: string, ...fields: Buffer[]): Promise<Buffer> => {
    const answer = await callEtcd(administrator, `/etcdserverpb.Auth/${method}`, fields)
    if (!answer.ok) throw new Error(`etcd ${method}: ${answer.code} ${answer.message}`)
    return answer.message
  }
  const names = (message: Buffer) => fieldsOf(message, 2).map(String)
  const users = async () => names(await call('UserList'))
  const roles = async () => names(await call('RoleList'))
  const addUser: EtcdAuth['addUser'] = async (name, password) => {
    const credential = password === undefined ? bytes(3, integer(1, 1)) : bytes(2, password)
    await call('UserAdd', bytes(1, name), credential)
  }
  const addRole: EtcdAuth['addRole'] = async (name) => {
    await call('RoleAdd', bytes(1, name))
  }
  const grantRole: EtcdAuth['grantRole'] = async (user, role) => {
    await call('UserGrantRole', bytes(1, user), bytes(2, role))
  }
  return {
    addUser,
    addRole,
    grantRole,
    users,
    roles,
    rolesOf: async (user) => names(await call('UserGet', bytes(1, user))),
    async deleteUser(name) {
      await call('UserDelete', bytes(1, name))
    },
    async grantPrefix(role, access, prefix) {
      const permission = [integer(1, permissionTypes[access]), bytes(2, prefix), bytes(3, endOfPrefix(prefix))]
      await call('RoleGrantPermission', bytes(1, role), bytes(2, Buffer.concat(permission)))
    },
    async revokeRole(user, role) {
      await call('UserRevokeRole', bytes(1, user), bytes(2, role))
    },
    async enable({ rootPassword } = {}) {
      if (!(await users()).includes('root')) await addUser('root', rootPassword)
      if (!(await roles()).includes('root')) await addRole('root')
      await grantRole('root', 'root')
      await call('AuthEnable')
    },
    async disable() {
      await call('AuthDisable')
    },
  }
}

/** The first key after every key with this prefix (`clientv3.GetPrefixRangeEnd`); '' is every key. */
function endOfPrefix(prefix: string): Buffer {
  const end = Buffer.from(prefix)
  for (let index = end.length - 1; index >= 0; index--) {
    const byte = end.readUInt8(index)
    if (byte === 0xff) continue
    end.writeUInt8(byte + 1, index)
    return end.subarray(0, index + 1)
  }
  return Buffer.from([0])
}
