/** Owns a model of etcd's users, roles, grants and keys in memory, with etcd's own rules, for properties and for kills. */

import { AgentError } from '../../agent/core/errors.ts'
import type { EtcdAuthApi, StoredKey } from '../../agent/operator/etcd/api.ts'
import { type Grant, rangeId } from '../../agent/operator/etcd/grants.ts'

export interface EtcdModel extends EtcdAuthApi {
  readonly content: {
    readonly users: Map<string, Set<string>>
    readonly roles: Map<string, Map<string, Grant>>
    readonly keys: Map<string, StoredKey>
    readonly withPassword: Set<string>
  }
  /** What etcd counts: changes that were none do not move it. */
  revision: number
  authEnabled: boolean
}

export function createEtcdModel(): EtcdModel {
  const users = new Map<string, Set<string>>()
  const roles = new Map<string, Map<string, Grant>>()
  const keys = new Map<string, StoredKey>()
  const withPassword = new Set<string>()
  let keyRevision = 0
  const role = (name: string): Map<string, Grant> => roles.get(name) ?? missing(`role name not found: ${name}`)
  const user = (name: string): Set<string> => users.get(name) ?? missing(`user name not found: ${name}`)
  const store = (key: string, value: string): unknown =>
    keys.set(key, { key, value, modRevision: String(++keyRevision) })
  const model: EtcdModel = {
    content: { users, roles, keys, withPassword },
    revision: 1,
    authEnabled: true,
    authStatus: async () => ({ enabled: model.authEnabled, revision: String(model.revision) }),
    users: async () => [...users.keys()],
    roles: async () => [...roles.keys()],
    rolesOf: async (name) => (users.has(name) ? [...user(name)].toSorted() : undefined),
    grantsOf: async (name) => (roles.has(name) ? [...role(name).values()] : undefined),
    hasPassword: async (name) => withPassword.has(name),
    async addRole(name) {
      if (roles.has(name)) return
      roles.set(name, new Map())
      model.revision++
    },
    async deleteRole(name) {
      if (!roles.delete(name)) return
      for (const held of users.values()) held.delete(name)
      model.revision++
    },
    async grant(name, grant) {
      role(name).set(rangeId(grant), grant)
      model.revision++
    },
    async revoke(name, range) {
      if (roles.get(name)?.delete(rangeId(range))) model.revision++
    },
    async addUser(name) {
      if (users.has(name)) return
      users.set(name, new Set())
      model.revision++
    },
    async deleteUser(name) {
      if (users.delete(name)) model.revision++
    },
    async assignRole(name, roleName) {
      const held = user(name)
      if (roleName !== 'root') role(roleName)
      if (held.has(roleName)) return
      held.add(roleName)
      model.revision++
    },
    async unassignRole(name, roleName) {
      if (users.get(name)?.delete(roleName)) model.revision++
    },
    get: async (key) => keys.get(key),
    list: async (prefix) => [...keys.values()].filter(({ key }) => key.startsWith(prefix)),
    count: async (prefix) => [...keys.keys()].filter((key) => key.startsWith(prefix)).length,
    put: async (key, value) => void store(key, value),
    async create(key, value) {
      if (keys.has(key)) return false
      store(key, value)
      return true
    },
    async replace(old, put) {
      if (old.some(({ key, modRevision }) => keys.get(key)?.modRevision !== modRevision)) return false
      for (const { key } of old) keys.delete(key)
      for (const { key, value } of put) store(key, value)
      return true
    },
  }
  return model
}

function missing(what: string): never {
  throw new AgentError('etcd-contended', what)
}

/** As after a kill -9: from its n-th call on nothing happens any more. `after`: that one got through, unanswered. */
export function killedAtCall<Api extends EtcdAuthApi>(
  api: Api,
  call: number,
  after: boolean,
): Api & { calls(): number } {
  let calls = 0
  const killed = (): never => {
    throw new Error('killed')
  }
  return new Proxy(api, {
    get(target, name) {
      if (name === 'calls') return () => calls
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      return async (...args: unknown[]) => {
        const number = ++calls
        if (number > call || (number === call && !after)) killed()
        const result: unknown = await (value as (...all: unknown[]) => Promise<unknown>).apply(target, args)
        if (number === call) killed()
        return result
      }
    },
  }) as Api & { calls(): number }
}
