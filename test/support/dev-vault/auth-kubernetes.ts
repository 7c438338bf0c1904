/**
 * Owns the kubernetes auth method: the token's claims are read, then the API server's TokenReview decides. It knows service
 * accounts, not nodes: all pods of a service account share one entity.
 * @see https://github.com/hashicorp/vault-plugin-auth-kubernetes/blob/v0.15.0/path_login.go
 */
import { internalError, refusal, VaultFailure } from './failure.ts'
import { flagField, listField, textField } from './fields.ts'
import {
  type Claims,
  checkClaims,
  getClaim,
  parsePublicKeys,
  readClaimsUnverified,
  verifySignature,
} from './jwt-claims.ts'
import type { Backend, Call, Fields, LogicalAnswer, TokenSettings } from './logical.ts'
import { outgoing } from './outgoing.ts'
import { matchesGlob } from './policies.ts'
import { readTokenSettings, writeTokenSettings } from './role-tokens.ts'
import type { State } from './state.ts'

interface Config {
  readonly host: string
  readonly caPem: string
  readonly reviewerJwt: string
  readonly publicKeyPems: readonly string[]
  readonly issuer: string
  readonly disableLocalCaJwt: boolean
}

interface Role {
  readonly names: readonly string[]
  readonly namespaces: readonly string[]
  readonly audience: string
  readonly aliasSource: string
  readonly token: TokenSettings
}

interface ServiceAccount {
  readonly name: string
  readonly namespace: string
  readonly uid: string
}

export function createKubernetesBackend(state: State): Backend {
  const roles = new Map<string, Role>()
  const store: { config: Config | undefined } = { config: undefined }
  return {
    routes: [
      { path: 'login', isUnauthenticated: true, update: async (call) => await login(state, store.config, roles, call) },
      {
        path: 'config',
        read: () => (store.config === undefined ? undefined : { data: describeConfig(store.config) }),
        update: ({ data }) => {
          store.config = readConfig(data)
          return undefined
        },
      },
      { path: 'role', list: () => (roles.size === 0 ? undefined : { data: { keys: [...roles.keys()] } }) },
      {
        path: 'role/:name',
        read: ({ params }) => describeRole(roles.get(roleName(params))),
        update: ({ data, params }) => void roles.set(roleName(params), readRole(data)),
        delete: ({ params }) => void roles.delete(roleName(params)),
      },
    ],
  }
}

function roleName(params: Call['params']): string {
  return (params['name'] ?? '').toLowerCase()
}

function readConfig(data: Fields): Config {
  const config: Config = {
    host: textField(data, 'kubernetes_host').replace(/\/$/, ''),
    caPem: textField(data, 'kubernetes_ca_cert'),
    reviewerJwt: textField(data, 'token_reviewer_jwt'),
    publicKeyPems: listField(data, 'pem_keys'),
    issuer: flagField(data, 'disable_iss_validation', true) ? '' : textField(data, 'issuer'),
    disableLocalCaJwt: flagField(data, 'disable_local_ca_jwt'),
  }
  if (config.host === '') throw refusal('no host provided')
  if (config.disableLocalCaJwt && config.caPem === '') {
    throw refusal('kubernetes_ca_cert must be given when disable_local_ca_jwt is true')
  }
  return config
}

function readRole(data: Fields): Role {
  const names = listField(data, 'bound_service_account_names')
  const namespaces = listField(data, 'bound_service_account_namespaces')
  if (names.length === 0) throw refusal('"bound_service_account_names" can not be empty')
  if (namespaces.length === 0) throw refusal('"bound_service_account_namespaces" can not be empty')
  const aliasSource = textField(data, 'alias_name_source', 'serviceaccount_uid')
  return { names, namespaces, audience: textField(data, 'audience'), aliasSource, token: readTokenSettings(data) }
}

async function login(
  state: State,
  config: Config | undefined,
  roles: ReadonlyMap<string, Role>,
  { data }: Call,
): Promise<LogicalAnswer> {
  const name = textField(data, 'role')
  if (name === '') throw refusal('missing role')
  const jwt = textField(data, 'jwt')
  if (jwt === '') throw refusal('missing jwt')
  const role = roles.get(name.toLowerCase())
  if (role === undefined) throw refusal(`invalid role name "${name}"`)
  if (config === undefined) throw internalError('could not load backend configuration')
  const claims = await readToken(state, config, role, jwt)
  const account = readAccount(claims)
  if (!isListed(role.namespaces, account.namespace)) throw new VaultFailure(403, 'namespace not authorized')
  if (!isListed(role.names, account.name)) throw new VaultFailure(403, 'service account name not authorized')
  if (account.uid === '') throw internalError('could not parse UID from claims')
  const wanted = role.audience === '' ? (claims.aud as string[]) : [role.audience]
  if (!(await isReviewed(config, account, jwt, wanted))) throw new VaultFailure(403, 'permission denied')
  const metadata = {
    service_account_name: account.name,
    service_account_namespace: account.namespace,
    service_account_secret_name: '',
    service_account_uid: account.uid,
  }
  const aliasName = role.aliasSource === 'serviceaccount_name' ? `${account.namespace}/${account.name}` : account.uid
  return {
    grant: {
      alias: { name: aliasName, metadata },
      displayName: `${account.namespace}-${account.name}`,
      metadata: { ...metadata, role: name },
      token: role.token,
    },
  }
}

async function readToken(state: State, config: Config, role: Role, jwt: string): Promise<Claims> {
  let claims: Claims
  try {
    const keys = parsePublicKeys(config.publicKeyPems)
    claims = keys.length === 0 ? readClaimsUnverified(jwt) : await verifySignature(jwt, keys)
  } catch {
    throw new VaultFailure(403, 'permission denied')
  }
  const expected = { issuer: config.issuer, subject: '', audiences: role.audience === '' ? [] : [role.audience] }
  const leeways = {
    clockSkewLeewaySeconds: 0,
    expirationLeewaySeconds: 0,
    notBeforeLeewaySeconds: 0,
    mayLackTimes: true,
  }
  try {
    checkClaims(claims, { ...expected, ...leeways }, state.now())
  } catch (cause) {
    throw new VaultFailure(403, (cause as Error).message)
  }
  if (typeof claims.aud === 'string') {
    throw internalError("1 error(s) decoding:\n\n* 'aud': source data must be an array or slice, got string")
  }
  return claims
}

function readAccount(claims: Claims): ServiceAccount {
  const text = (pointer: string): string => {
    const value = getClaim(claims, pointer)
    return typeof value === 'string' ? value : ''
  }
  return {
    name: text('/kubernetes.io/serviceaccount/name'),
    namespace: text('/kubernetes.io/namespace'),
    uid: text('/kubernetes.io/serviceaccount/uid'),
  }
}

function isListed(patterns: readonly string[], value: string): boolean {
  return patterns.some((pattern) => matchesGlob(pattern, value))
}

/** Whatever goes wrong here, an outage of the API server too, is "permission denied" to the client. */
async function isReviewed(
  config: Config,
  account: ServiceAccount,
  jwt: string,
  audiences: readonly string[],
): Promise<boolean> {
  try {
    const { status, json } = await outgoing(`${config.host}/apis/authentication.k8s.io/v1/tokenreviews`, {
      method: 'POST',
      caPem: config.caPem,
      bearer: config.reviewerJwt || jwt,
      body: { metadata: { creationTimestamp: null }, spec: { token: jwt, audiences }, status: { user: {} } },
    })
    if (status < 200 || status > 206) return false
    const { status: review } = json as {
      status?: { authenticated?: boolean; audiences?: string[]; user?: { username?: string; uid?: string } }
    }
    if (review?.authenticated !== true) return false
    const hasAudience = audiences.length === 0 || audiences.some((each) => review.audiences?.includes(each) === true)
    const username = `system:serviceaccount:${account.namespace}:${account.name}`
    return hasAudience && review.user?.username === username && review.user.uid === account.uid
  } catch {
    return false
  }
}

function describeConfig(config: Config): object {
  return {
    disable_iss_validation: config.issuer === '',
    disable_local_ca_jwt: config.disableLocalCaJwt,
    issuer: config.issuer,
    kubernetes_ca_cert: config.caPem,
    kubernetes_host: config.host,
    pem_keys: config.publicKeyPems,
  }
}

function describeRole(role: Role | undefined): LogicalAnswer | undefined {
  if (role === undefined) return undefined
  return {
    data: {
      alias_name_source: role.aliasSource,
      audience: role.audience,
      bound_service_account_names: role.names,
      bound_service_account_namespaces: role.namespaces,
      ...writeTokenSettings(role.token),
    },
  }
}
