/**
 * Owns reading the claims of a service-account token. They are not verified here (that is Vault's work): they say when the
 * token ends, and which node it is bound to.
 * @see https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#bound-service-account-tokens
 */
import { AgentError } from '../core/errors.ts'
import { asObject, type JsonObject, parseJson } from '../core/json.ts'
import type { Secret } from '../core/secret.ts'

export interface ServiceAccountClaims {
  /** RFC 7519 `exp` in milliseconds since the epoch. */
  readonly expiresAtMs: number | undefined
  /** `nbf`, or else `iat`. */
  readonly beginsAtMs: number | undefined
  /** `kubernetes.io`.node: there from Kubernetes 1.30 on. */
  readonly nodeName: string | undefined
  readonly nodeUid: string | undefined
  /** Of the pod and its service account; there in tokens that are bound to a pod. */
  readonly podName: string | undefined
  readonly serviceAccount: string | undefined
  readonly audiences: readonly string[]
  readonly issuer: string | undefined
}

/** @throws AgentError `credential-invalid` that names the file */
export function readClaims(jwt: Secret, file: string): ServiceAccountClaims {
  const payload = decodePayload(jwt.reveal())
  if (payload === undefined) throw new AgentError('credential-invalid', `${file} does not hold a JWT`)
  const { exp, nbf, iat, aud, sub, iss } = payload
  const bound = child(payload, 'kubernetes.io')
  const { name, uid } = child(bound, 'node') ?? {}
  const pod = child(bound, 'pod')?.['name']
  return {
    expiresAtMs: numericDate(exp),
    beginsAtMs: numericDate(nbf) ?? numericDate(iat),
    nodeName: typeof name === 'string' ? name : undefined,
    // It may become part of a path.
    nodeUid: typeof uid === 'string' && /^\w[\w.-]*$/.test(uid) ? uid : undefined,
    podName: typeof pod === 'string' ? pod : undefined,
    serviceAccount: typeof sub === 'string' ? /^system:serviceaccount:([^:]+:[^:]+)$/.exec(sub)?.[1] : undefined,
    // RFC 7519, 4.1.3: one text, or a list of them.
    audiences: [aud].flat().filter((each) => typeof each === 'string'),
    issuer: typeof iss === 'string' ? iss : undefined,
  }
}

/** Claims that each renewal of a token changes (RFC 7519, 4.1; `warnafter` is the kubelet's). */
const claimsOfOneToken: ReadonlySet<string> = new Set(['exp', 'iat', 'nbf', 'jti', 'warnafter'])

/** Who a token is for and which key signed it, without what changes with each renewal; undefined if it is no JWT. */
export function identityClaims(jwt: string): string | undefined {
  const payload = decodePayload(jwt)
  if (payload === undefined) return undefined
  const kept = JSON.stringify(payload, (key, value: unknown) => (claimsOfOneToken.has(key) ? undefined : value))
  return `${jwt.split('.', 1)[0] ?? ''} ${kept}`
}

/** RFC 7519, 2: seconds since the epoch. Beyond 1e12 there are no dates. */
function numericDate(value: unknown): number | undefined {
  return typeof value === 'number' && Math.abs(value) <= 1e12 ? value * 1000 : undefined
}

function decodePayload(jwt: string): JsonObject | undefined {
  const parts = jwt.split('.')
  if (parts.length !== 3 || !parts.every((part) => /^[\w-]+$/.test(part))) return undefined
  return asObject(parseJson(Buffer.from(parts[1] ?? '', 'base64url').toString('utf8')))
}

function child(value: JsonObject | undefined, name: string): JsonObject | undefined {
  return asObject(value?.[name])
}
