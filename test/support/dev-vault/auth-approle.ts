/** Owns the approle auth method: roles, their role id, secret ids with uses and lifetime, and the login with both. */
import { randomUUID } from 'node:crypto'
import { refusal, VaultFailure } from './failure.ts'
import { durationField, flagField, numberField, textField } from './fields.ts'
import type { Backend, Call, LogicalAnswer, TokenSettings } from './logical.ts'
import { readTokenSettings, writeTokenSettings } from './role-tokens.ts'
import type { State } from './state.ts'

interface SecretId {
  readonly expiresAtMs: number
  usesLeft: number
}

interface Role {
  readonly name: string
  readonly bindSecretId: boolean
  readonly secretIdTtlSeconds: number
  readonly secretIdUses: number
  readonly token: TokenSettings
  readonly secretIds: Map<string, SecretId>
  roleId: string
}

export function createApproleBackend(state: State): Backend {
  const roles = new Map<string, Role>()
  const find = ({ params }: Call): Role | undefined => roles.get((params['name'] ?? '').toLowerCase())
  return {
    routes: [
      { path: 'login', isUnauthenticated: true, update: (call) => login(state, roles, call) },
      { path: 'role', list: () => (roles.size === 0 ? undefined : { data: { keys: [...roles.keys()] } }) },
      {
        path: 'role/:name',
        read: (call) => describeRole(find(call)),
        update: (call) => {
          writeRole(roles, find(call), call)
          return undefined
        },
        delete: ({ params }) => void roles.delete((params['name'] ?? '').toLowerCase()),
      },
      {
        path: 'role/:name/role-id',
        read: (call) => {
          const role = find(call)
          return role === undefined ? undefined : { data: { role_id: role.roleId } }
        },
        update: (call) => {
          const role = find(call)
          if (role !== undefined) role.roleId = textField(call.data, 'role_id', role.roleId)
          return undefined
        },
      },
      { path: 'role/:name/secret-id', update: (call) => newSecretId(state, find(call), call) },
    ],
  }
}

function writeRole(roles: Map<string, Role>, known: Role | undefined, { data, params }: Call): void {
  const name = (params['name'] ?? '').toLowerCase()
  roles.set(name, {
    name,
    bindSecretId: flagField(data, 'bind_secret_id', true),
    secretIdTtlSeconds: durationField(data, 'secret_id_ttl'),
    secretIdUses: numberField(data, 'secret_id_num_uses'),
    token: readTokenSettings(data),
    secretIds: known?.secretIds ?? new Map<string, SecretId>(),
    roleId: textField(data, 'role_id', known?.roleId ?? randomUUID()),
  })
}

function newSecretId(state: State, role: Role | undefined, { data, params }: Call): LogicalAnswer {
  if (role === undefined) throw refusal(`role "${params['name'] ?? ''}" does not exist`)
  const ttlSeconds = durationField(data, 'ttl', role.secretIdTtlSeconds)
  const uses = numberField(data, 'num_uses', role.secretIdUses)
  const id = randomUUID()
  const expiresAtMs = ttlSeconds === 0 ? Number.POSITIVE_INFINITY : state.now() + ttlSeconds * 1000
  role.secretIds.set(id, { expiresAtMs, usesLeft: uses === 0 ? Number.POSITIVE_INFINITY : uses })
  const rest = { secret_id_accessor: randomUUID(), secret_id_ttl: ttlSeconds, secret_id_num_uses: uses }
  return { data: { secret_id: id, ...rest } }
}

function login(state: State, roles: ReadonlyMap<string, Role>, { data }: Call): LogicalAnswer {
  const isOpenBao = state.flavour === 'openbao'
  const roleId = textField(data, 'role_id').trim()
  if (roleId === '') throw refusal('missing role_id')
  const role = [...roles.values()].find((each) => each.roleId === roleId)
  if (role === undefined) throw refusal(isOpenBao ? 'invalid role or secret ID' : 'invalid role ID')
  if (role.bindSecretId) {
    const secretId = textField(data, 'secret_id').trim()
    if (secretId === '') throw refusal('missing secret_id')
    const secret = role.secretIds.get(secretId)
    if (secret === undefined || secret.expiresAtMs <= state.now() || secret.usesLeft === 0) {
      // Vault 1.13 answers 500 here.
      throw isOpenBao ? refusal('invalid role or secret ID') : new VaultFailure(500, 'invalid secret id')
    }
    secret.usesLeft -= 1
  }
  const metadata = { role_name: role.name }
  return { grant: { alias: { name: role.roleId, metadata }, displayName: '', metadata, token: role.token } }
}

function describeRole(role: Role | undefined): LogicalAnswer | undefined {
  if (role === undefined) return undefined
  return {
    data: {
      bind_secret_id: role.bindSecretId,
      local_secret_ids: false,
      secret_id_bound_cidrs: null,
      secret_id_num_uses: role.secretIdUses,
      secret_id_ttl: role.secretIdTtlSeconds,
      ...writeTokenSettings(role.token),
    },
  }
}
