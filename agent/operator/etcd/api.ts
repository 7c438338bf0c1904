/** Owns what the code asks of etcd: a small structural interface, which etcd3 (client.ts) and the model of the tests fill. */
import type { Grant, KeyRange } from './grants.ts'

export interface AuthStatus {
  readonly enabled: boolean
  /**
   * Grows with every change of any user, role or grant. Undefined on etcd 3.4, which does not tell.
   * @see https://github.com/etcd-io/etcd/blob/v3.6.14/api/etcdserverpb/rpc.proto AuthStatusResponse
   */
  readonly revision: string | undefined
}

export interface StoredKey {
  readonly key: string
  readonly value: string
  /** For `replace`: the revision of the last write. */
  readonly modRevision: string
}

/**
 * Every function rejects with an AgentError of the group `etcd`, and has then been tried again if that helps. Every
 * change is idempotent: what is already so counts as done, since a first attempt may have got through unanswered.
 */
export interface EtcdAuthApi {
  authStatus(): Promise<AuthStatus>
  users(): Promise<string[]>
  roles(): Promise<string[]>
  /** Undefined: there is no such user. */
  rolesOf(user: string): Promise<string[] | undefined>
  /** Undefined: there is no such role. */
  grantsOf(role: string): Promise<Grant[] | undefined>
  /** Whether somebody may log in as the user without a certificate. False while authentication is off: etcd does not tell then. */
  hasPassword(user: string): Promise<boolean>

  addRole(role: string): Promise<void>
  deleteRole(role: string): Promise<void>
  grant(role: string, grant: Grant): Promise<void>
  revoke(role: string, range: KeyRange): Promise<void>
  /** Without a password: the user can only be the common name of a certificate. */
  addUser(user: string): Promise<void>
  deleteUser(user: string): Promise<void>
  assignRole(user: string, role: string): Promise<void>
  unassignRole(user: string, role: string): Promise<void>

  get(key: string): Promise<StoredKey | undefined>
  list(prefix: string): Promise<StoredKey[]>
  count(prefix: string): Promise<number>
  put(key: string, value: string): Promise<void>
  /** Writes the key only if it is not there (else false): never over what somebody has made meanwhile. */
  create(key: string, value: string): Promise<boolean>
  /** Removes `old` and writes `put` at once, or nothing (false) if one of `old` is no longer what was read. */
  replace(old: readonly StoredKey[], put: readonly Pick<StoredKey, 'key' | 'value'>[]): Promise<boolean>
}

/** What only the bootstrap of authentication needs (bootstrap.ts). */
export interface EtcdBootstrapApi extends EtcdAuthApi {
  /** For the way back: a user with a password, which no certificate is needed for. */
  addUserWithPassword(user: string, password: string): Promise<void>
  enableAuth(): Promise<void>
  disableAuth(): Promise<void>
}
