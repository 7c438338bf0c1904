/**
 * Owns the jwt auth method: keys from the configuration or a JWKS URL, roles, and logins whose alias is a claim of the token.
 * @see https://github.com/hashicorp/vault-plugin-auth-jwt/blob/v0.15.0/path_login.go
 */
import type { KeyObject } from 'node:crypto'
import { refusal } from './failure.ts'
import { durationField, flagField, listField, mapField, textField } from './fields.ts'
import {
  type Claims,
  checkBoundClaims,
  checkClaims,
  getClaim,
  parseJwks,
  parsePublicKeys,
  verifySignature,
} from './jwt-claims.ts'
import type { Backend, Call, Fields, LogicalAnswer, TokenSettings } from './logical.ts'
import { outgoing } from './outgoing.ts'
import { readTokenSettings, writeTokenSettings } from './role-tokens.ts'
import type { State } from './state.ts'

interface Config {
  readonly publicKeyPems: readonly string[]
  readonly jwksUrl: string
  readonly jwksCaPem: string
  readonly boundIssuer: string
  readonly defaultRole: string
  keys: KeyObject[]
}

interface Role {
  readonly boundAudiences: readonly string[]
  readonly boundSubject: string
  readonly boundClaims: Claims
  readonly isGlob: boolean
  readonly userClaim: string
  readonly isPointer: boolean
  readonly claimMappings: Readonly<Record<string, unknown>>
  readonly clockSkewLeewaySeconds: number
  readonly expirationLeewaySeconds: number
  readonly notBeforeLeewaySeconds: number
  readonly token: TokenSettings
}

export function createJwtBackend(state: State): Backend {
  const roles = new Map<string, Role>()
  const store: { config: Config | undefined } = { config: undefined }
  return {
    routes: [
      { path: 'login', isUnauthenticated: true, update: async (call) => await login(state, store.config, roles, call) },
      {
        path: 'config',
        read: () => (store.config === undefined ? undefined : { data: describeConfig(store.config) }),
        update: async ({ data }) => {
          const { config, warnings } = await readConfig(data)
          store.config = config
          return warnings.length === 0 ? undefined : { warnings }
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

async function readConfig(data: Fields): Promise<{ config: Config; warnings: string[] }> {
  const publicKeyPems = listField(data, 'jwt_validation_pubkeys').map((pem) => pem.trim())
  const jwksUrl = textField(data, 'jwks_url')
  if ((publicKeyPems.length > 0 ? 1 : 0) + (jwksUrl === '' ? 0 : 1) !== 1) {
    throw refusal("exactly one of 'jwt_validation_pubkeys', 'jwks_url' or 'oidc_discovery_url' must be set")
  }
  const config: Config = {
    publicKeyPems,
    jwksUrl,
    jwksCaPem: textField(data, 'jwks_ca_pem'),
    boundIssuer: textField(data, 'bound_issuer'),
    defaultRole: textField(data, 'default_role'),
    keys: [],
  }
  try {
    config.keys = jwksUrl === '' ? parsePublicKeys(publicKeyPems) : await fetchKeys(config)
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause)
    if (jwksUrl === '') throw refusal(`error parsing public key: ${text}`)
    if (!flagField(data, 'skip_jwks_validation')) throw refusal(`error checking jwks URL: ${text}`)
    return { config, warnings: [`error checking jwks URL: ${text}`] }
  }
  return { config, warnings: [] }
}

async function fetchKeys({ jwksUrl, jwksCaPem }: Config): Promise<KeyObject[]> {
  try {
    const { status, json } = await outgoing(jwksUrl, { method: 'GET', caPem: jwksCaPem })
    if (status !== 200) throw new Error(String(status))
    return parseJwks(json)
  } catch (cause) {
    throw new Error(`fetching keys oidc: get keys failed Get "${jwksUrl}": ${String(cause)}`, { cause })
  }
}

function readRole(data: Fields): Role {
  const userClaim = textField(data, 'user_claim')
  const type = textField(data, 'role_type', 'jwt')
  if (type !== 'jwt') throw refusal(`invalid 'role_type': ${type}`)
  if (userClaim === '') throw refusal('a user claim must be defined on the role')
  const role: Role = {
    boundAudiences: listField(data, 'bound_audiences'),
    boundSubject: textField(data, 'bound_subject'),
    boundClaims: mapField(data, 'bound_claims'),
    isGlob: textField(data, 'bound_claims_type') === 'glob',
    userClaim,
    isPointer: flagField(data, 'user_claim_json_pointer'),
    claimMappings: mapField(data, 'claim_mappings'),
    clockSkewLeewaySeconds: durationField(data, 'clock_skew_leeway', 0, true),
    expirationLeewaySeconds: durationField(data, 'expiration_leeway', 0, true),
    notBeforeLeewaySeconds: durationField(data, 'not_before_leeway', 0, true),
    token: readTokenSettings(data),
  }
  const bounds = role.boundAudiences.length + role.boundSubject.length + Object.keys(role.boundClaims).length
  if (bounds === 0) throw refusal('must have at least one bound constraint when creating/updating a role')
  return role
}

async function login(
  state: State,
  config: Config | undefined,
  roles: ReadonlyMap<string, Role>,
  { data }: Call,
): Promise<LogicalAnswer> {
  if (config === undefined) throw refusal('could not load configuration')
  const name = (textField(data, 'role') || config.defaultRole).toLowerCase()
  if (name === '') throw refusal('missing role')
  const role = roles.get(name)
  if (role === undefined) throw refusal(`role "${name}" could not be found`)
  const jwt = textField(data, 'jwt')
  if (jwt === '') throw refusal('missing token')
  const claims = await validate(state, config, role, jwt)
  if (role.boundAudiences.length === 0 && Array.isArray(claims.aud) && claims.aud.length > 0) {
    throw refusal('audience claim found in JWT but no audiences bound to the role')
  }
  const user = role.isPointer ? getClaim(claims, role.userClaim) : claims[role.userClaim]
  if (user === undefined || user === null) throw refusal(`claim "${role.userClaim}" not found in token`)
  if (typeof user !== 'string') throw refusal(`claim "${role.userClaim}" could not be converted to string`)
  const metadata: Record<string, string> = {}
  for (const [claim, target] of Object.entries(role.claimMappings)) {
    const value = getClaim(claims, claim)
    if (value === undefined || value === null) continue
    if (typeof value !== 'string') throw refusal(`error converting claim '${claim}' to string`)
    metadata[String(target)] = value
  }
  try {
    checkBoundClaims(claims, role.boundClaims, role.isGlob)
  } catch (cause) {
    throw refusal(`error validating claims: ${(cause as Error).message}`)
  }
  const grant = {
    alias: { name: user, metadata },
    displayName: user,
    metadata: { role: name, ...metadata },
    token: role.token,
  }
  return { grant }
}

async function validate(state: State, config: Config, role: Role, jwt: string): Promise<Claims> {
  try {
    const claims = await verify(config, jwt)
    const expected = { issuer: config.boundIssuer, subject: role.boundSubject, audiences: role.boundAudiences }
    checkClaims(claims, { ...expected, ...role, mayLackTimes: false }, state.now())
    return claims
  } catch (cause) {
    throw refusal(`error validating token: ${(cause as Error).message}`)
  }
}

/** Known keys are used as long as they verify; another one makes it ask again. */
async function verify(config: Config, jwt: string): Promise<Claims> {
  try {
    return await verifySignature(jwt, config.keys)
  } catch (error) {
    if (config.jwksUrl === '') throw error
    try {
      config.keys = await fetchKeys(config)
    } catch (cause) {
      throw new Error(`error verifying token signature: ${(cause as Error).message}`, { cause })
    }
    return await verifySignature(jwt, config.keys)
  }
}

function describeConfig(config: Config): object {
  return {
    bound_issuer: config.boundIssuer,
    default_role: config.defaultRole,
    jwks_ca_pem: config.jwksCaPem,
    jwks_url: config.jwksUrl,
    jwt_supported_algs: [],
    jwt_validation_pubkeys: config.publicKeyPems,
    oidc_discovery_url: '',
    provider_config: {},
  }
}

function describeRole(role: Role | undefined): LogicalAnswer | undefined {
  if (role === undefined) return undefined
  return {
    data: {
      bound_audiences: role.boundAudiences,
      bound_claims: role.boundClaims,
      bound_claims_type: role.isGlob ? 'glob' : 'string',
      bound_subject: role.boundSubject,
      claim_mappings: role.claimMappings,
      clock_skew_leeway: role.clockSkewLeewaySeconds,
      expiration_leeway: role.expirationLeewaySeconds,
      not_before_leeway: role.notBeforeLeewaySeconds,
      role_type: 'jwt',
      user_claim: role.userClaim,
      user_claim_json_pointer: role.isPointer,
      ...writeTokenSettings(role.token),
    },
  }
}
