/** Owns the shapes of Vault's answers that the agent uses: each is checked field by field before it is believed. */
import { AgentError } from '../core/errors.ts'
import { asObject, type JsonObject } from '../core/json.ts'
import { Secret } from '../core/secret.ts'
import { type Evidence, lookupEvidence } from './skew.ts'

/** The `auth` part of a login, or `data` of auth/token/lookup-self. */
export interface Token {
  readonly token: Secret
  /** Seconds it is valid for, 0 if it never expires. */
  readonly ttlSeconds: number
  readonly renewable: boolean
  /** What the answer says of Vault's clock. */
  readonly evidence?: Evidence | undefined
}

export interface SignedCertificate {
  /** PEM of the leaf. */
  readonly certificate: string
  /** PEM of the issuer and what stands above it, as the mount knows it; may be empty. */
  readonly chain: readonly string[]
}

/** The fields of a secret of the KV engine, and its version if the engine counts them. */
export interface SecretData {
  readonly data: Readonly<Record<string, unknown>>
  readonly version: number | undefined
}

export function readToken(body: unknown, where: string): Token {
  const auth = partOf(body, 'auth', where)
  const { client_token: token, lease_duration: ttl, renewable } = auth
  // It becomes a header.
  if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token)) throw bad(where, 'auth.client_token is not a token')
  if (!isSeconds(ttl)) throw bad(where, 'auth.lease_duration is not a number of seconds')
  return { token: new Secret(token), ttlSeconds: ttl, renewable: renewable === true }
}

export function readTokenLookup(body: unknown, token: Secret, where: string): Token {
  const data = partOf(body, 'data', where)
  const { ttl, expire_time: end } = data
  if (!isSeconds(ttl)) throw bad(where, 'data.ttl is not a number of seconds')
  const evidence = lookupEvidence(typeof end === 'string' ? Date.parse(end) : undefined, ttl)
  return { token, ttlSeconds: ttl, renewable: data['renewable'] === true, evidence }
}

export function readSigned(body: unknown, where: string): SignedCertificate {
  const data = partOf(body, 'data', where)
  const { certificate, ca_chain: chain, issuing_ca: issuer } = data
  if (typeof certificate !== 'string' || certificate === '') throw bad(where, 'data.certificate is not a string')
  if (chain !== undefined && !isTexts(chain)) throw bad(where, 'data.ca_chain is not a list of strings')
  if (issuer !== undefined && typeof issuer !== 'string') throw bad(where, 'data.issuing_ca is not a string')
  return { certificate, chain: chain ?? (issuer === undefined || issuer === '' ? [] : [issuer]) }
}

/** Ids of the issuers of a mount. */
export function readIssuerIds(body: unknown, where: string): readonly string[] {
  const data = partOf(body, 'data', where)
  if (!isTexts(data['keys'])) throw bad(where, 'data.keys is not a list of strings')
  // An id becomes part of a path.
  if (!data['keys'].every((id) => /^[\w-]+$/.test(id))) throw bad(where, 'data.keys holds what is no issuer id')
  return data['keys']
}

/** PEM of one issuer's certificate. */
export function readIssuer(body: unknown, where: string): string {
  const data = partOf(body, 'data', where)
  if (typeof data['certificate'] !== 'string') throw bad(where, 'data.certificate is not a string')
  return data['certificate']
}

export function readSecretData(body: unknown, engine: 1 | 2, where: string): SecretData {
  const data = partOf(body, 'data', where)
  if (engine === 1) return { data, version: undefined }
  const { version } = fields(data['metadata'], where, 'data.metadata')
  if (!Number.isSafeInteger(version)) throw bad(where, 'data.metadata.version is not a number')
  return { data: fields(data['data'], where, 'data.data'), version: version as number }
}

function partOf(body: unknown, name: 'auth' | 'data', where: string): JsonObject {
  return fields(fields(body, where, 'the answer')[name], where, name)
}

function fields(value: unknown, where: string, name: string): JsonObject {
  const object = asObject(value)
  if (object === undefined) throw bad(where, `${name} is not an object`)
  return object
}

/** JSON knows 1e999, and dates end at 8.64e12 seconds. */
function isSeconds(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= 1e12
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string')
}

function bad(where: string, what: string): AgentError {
  return new AgentError('vault-bad-answer', `${where}: ${what}`)
}
