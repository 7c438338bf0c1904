/** Owns the single calls of `EtcdAuthApi` in terms of etcd3's raw calls: its own Role and User objects hold the private key. */
import { randomBytes } from 'node:crypto'
import type { Etcd3, IKeyValue } from 'etcd3'
import { AgentError, messageOf } from '../../core/errors.ts'
import type { EtcdBootstrapApi, StoredKey } from './api.ts'
import { type Access, compareGrants, type KeyRange, prefixRange } from './grants.ts'

/** Runs a call on one endpoint after the other until it succeeds, or until trying again does not help. */
export type Call = <Result>(what: (etcd: Etcd3) => Promise<Result>) => Promise<Result>

const permissionTypes = { read: 'Read', write: 'Write', readwrite: 'Readwrite' } as const

type AuthCalls = Omit<EtcdBootstrapApi, keyof KeyCalls>
type KeyCalls = Pick<EtcdBootstrapApi, 'get' | 'list' | 'count' | 'put' | 'create' | 'replace'>

export function authCalls(call: Call): AuthCalls {
  /** A change; `alreadySo` is how etcd says that there is nothing left to do. Without it, etcd takes the change again. */
  const change = (what: Parameters<Call>[0], alreadySo?: RegExp): Promise<void> =>
    call(async (etcd) => {
      if (alreadySo === undefined) await what(etcd)
      else await orElse(what(etcd), alreadySo, () => undefined)
    })
  return {
    authStatus: () =>
      call(async ({ auth }) => {
        const answer = await orElse(asAdministrator(auth.authStatus()), /unknown method/i, () => undefined)
        if (answer !== undefined)
          return { enabled: answer.enabled, revision: (answer as unknown as { authRevision: string }).authRevision }
        // etcd 3.4 has no AuthStatus. A login that nobody could make is answered by whether there are logins at all.
        await asAdministrator(auth.userList())
        const enabled = await orElse(
          auth.authenticate({ name: 'calico-vault-agent', password: unguessable() }).then(() => true),
          /is not enabled|authentication failed|user name/i,
          (message) => !/is not enabled/i.test(message),
        )
        return { enabled, revision: undefined }
      }),
    users: () => call(async ({ auth }) => (await asAdministrator(auth.userList())).users),
    roles: () => call(async ({ auth }) => (await asAdministrator(auth.roleList())).roles),
    rolesOf: (name) =>
      call(({ auth }) =>
        orElse(
          auth.userGet({ name }).then(({ roles }) => roles),
          /user name not found/i,
          () => undefined,
        ),
      ),
    grantsOf: (role) =>
      call(async ({ auth }) => {
        const answer = await orElse(auth.roleGet({ role }), /role name not found/i, () => undefined)
        return answer?.perm
          .map(({ permType, key, range_end: end }) => ({
            access: permType.toLowerCase() as Access,
            key: key.toString('latin1'),
            end: end.toString('latin1'),
          }))
          .toSorted(compareGrants)
      }),
    hasPassword: (name) =>
      call(({ auth }) =>
        orElse(
          auth.authenticate({ name, password: unguessable() }).then(() => true),
          /is not enabled|authentication failed/i,
          (message) => !/is not enabled|no password user/i.test(message),
        ),
      ),

    addRole: (name) => change(({ auth }) => auth.roleAdd({ name }), /role name already exists/i),
    deleteRole: (role) => change(({ auth }) => auth.roleDelete({ role }), /role name not found/i),
    grant: (name, { access, ...range }) =>
      change(({ auth }) =>
        auth.roleGrantPermission({ name, perm: { permType: permissionTypes[access], ...encoded(range) } }),
      ),
    revoke: (role, range) =>
      change(
        ({ auth }) => auth.roleRevokePermission({ role, ...encoded(range) }),
        /permission is not granted|role name not found/i,
      ),
    // Without the option this would be a user with an empty password.
    addUser: (name) =>
      change(({ auth }) => auth.userAdd({ name, options: { no_password: true } }), /user name already exists/i),
    deleteUser: (name) => change(({ auth }) => auth.userDelete({ name }), /user name not found/i),
    assignRole: (user, role) => change(({ auth }) => auth.userGrantRole({ user, role })),
    unassignRole: (name, role) =>
      change(({ auth }) => auth.userRevokeRole({ name, role }), /role is not granted|user name not found/i),

    addUserWithPassword: (name, password) =>
      change(({ auth }) => auth.userAdd({ name, password }), /user name already exists/i),
    enableAuth: () => change(({ auth }) => auth.authEnable()),
    disableAuth: () => change(({ auth }) => auth.authDisable(), /is not enabled/i),
  }
}

export function keyCalls(call: Call): KeyCalls {
  return {
    get: (key) => call(async ({ kv }) => (await kv.range({ key: Buffer.from(key) })).kvs.map(stored)[0]),
    list: (prefix) =>
      call(async ({ kv }) => {
        const { kvs } = await kv.range(encoded(prefixRange(prefix)))
        return kvs.map(stored)
      }),
    count: (prefix) =>
      call(async ({ kv }) => {
        const { count } = await kv.range({ ...encoded(prefixRange(prefix)), count_only: true })
        return Number(count)
      }),
    put: (key, value) =>
      call(async ({ kv }) => {
        await kv.put({ key: Buffer.from(key), value: Buffer.from(value) })
      }),
    create: (key, value) =>
      call(async ({ kv }) => {
        const answer = await kv.txn({
          compare: [{ key: Buffer.from(key), target: 'Create', result: 'Equal', create_revision: '0' }],
          success: [{ request_put: { key: Buffer.from(key), value: Buffer.from(value) } }],
          failure: [],
        })
        return answer.succeeded
      }),
    replace: (old, put) =>
      call(async ({ kv }) => {
        const answer = await kv.txn({
          compare: old.map(({ key, modRevision }) => ({
            key: Buffer.from(key),
            target: 'Mod',
            result: 'Equal',
            mod_revision: modRevision,
          })),
          success: [
            ...old.map(({ key }) => ({ request_delete_range: { key: Buffer.from(key) } })),
            ...put.map(({ key, value }) => ({ request_put: { key: Buffer.from(key), value: Buffer.from(value) } })),
          ],
          failure: [],
        })
        return answer.succeeded
      }),
  }
}

function stored({ key, value, mod_revision: modRevision }: IKeyValue): StoredKey {
  return { key: key.toString(), value: value.toString(), modRevision }
}

function encoded({ key, end }: KeyRange): { key: Buffer; range_end: Buffer } {
  return { key: Buffer.from(key, 'latin1'), range_end: Buffer.from(end, 'latin1') }
}

/** Turns an expected refusal into a value. */
async function orElse<Result, Other>(
  attempt: Promise<Result>,
  expected: RegExp,
  other: (message: string) => Other,
): Promise<Result | Other> {
  try {
    return await attempt
  } catch (error) {
    if (expected.test(messageOf(error))) return other(messageOf(error))
    throw error
  }
}

/** Of these calls, "user name not found" can only mean the one who asks; of others it may mean the one who is asked for. */
async function asAdministrator<Result>(attempt: Promise<Result>): Promise<Result> {
  return await orElse(attempt, /user name not found/i, () => {
    throw new AgentError('etcd-denied', 'etcd has no user of that name')
  })
}

function unguessable(): string {
  return randomBytes(24).toString('base64url')
}
