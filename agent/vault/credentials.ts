/**
 * Owns the files that the agent logs in with: each is read again before every login, as the kubelet renews it in place; and what a
 * service-account token says of itself. Its claims are not verified here, as that is Vault's work.
 * @see https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#bound-service-account-tokens
 */
import type { Auth } from '../config/auth.ts'
import { AgentError, messageOf } from '../core/errors.ts'
import { readSmallFile, systemFiles } from '../core/files.ts'
import { asObject, type JsonObject, parseJson } from '../core/json.ts'
import { Secret } from '../core/secret.ts'

/** Every way to log in but a token that is there already. */
export type LoginMethod = Exclude<Auth, { method: 'token' }>

/** What a login sends: names as they are, and secrets in their wrapper until the request is written. */
export type LoginFields = Readonly<Record<string, string | Secret>>

export interface LoginParameters {
  readonly parameters: LoginFields
  /** When the credential itself ends, if it says so. */
  readonly expiresAtMs: number | undefined
  /** When it began, if it says so. */
  readonly beginsAtMs?: number | undefined
}

/**
 * What to post to `auth/<mount>/login`.
 * @param node whom a service-account token must be bound to, byte for byte, if it says so: Vault compares names
 *   case-insensitively, and its kubernetes method knows nothing of the node at all
 * @throws AgentError `credential-missing`, `credential-invalid` or `wrong-node`
 */
export function readLoginParameters(auth: LoginMethod, node: string): LoginParameters {
  switch (auth.method) {
    case 'kubernetes':
    case 'jwt': {
      const jwt = readCredential(auth.tokenFile)
      const { expiresAtMs, beginsAtMs, nodeName = node } = readClaims(jwt, auth.tokenFile)
      if (nodeName !== node) {
        throw new AgentError('wrong-node', `${auth.tokenFile} is bound to ${nodeName}, NODE_NAME is ${node}`)
      }
      return { parameters: { role: auth.role, jwt }, expiresAtMs, beginsAtMs }
    }
    case 'approle': {
      const secret = auth.secretIdFile === undefined ? {} : { secret_id: readCredential(auth.secretIdFile) }
      return { parameters: { role_id: readCredential(auth.roleIdFile), ...secret }, expiresAtMs: undefined }
    }
    case 'cert':
      return { parameters: { name: auth.role }, expiresAtMs: undefined }
  }
}

/** The token of the method `token`. */
export function readStaticToken(auth: Extract<Auth, { method: 'token' }>): Secret {
  return auth.token ?? readCredential(auth.tokenFile ?? '')
}

/** When the service-account token in its file ends, as it is now; undefined if it does not say. */
export function readTokenExpiryMs(auth: Auth): number | undefined {
  return ofServiceAccount(auth, (jwt, file) => readClaims(jwt, file).expiresAtMs)
}

/** Who the agent logs in as, as far as a service-account token says so. */
export function fingerprintLogin(auth: Auth): string | undefined {
  return ofServiceAccount(auth, (jwt) => identityClaims(jwt.reveal()))
}

/** Undefined if there is no service-account token, or none that can be read: the next login says what is wrong with it. */
function ofServiceAccount<Value>(auth: Auth, read: (jwt: Secret, file: string) => Value): Value | undefined {
  if (auth.method !== 'kubernetes' && auth.method !== 'jwt') return undefined
  try {
    return read(readCredential(auth.tokenFile), auth.tokenFile)
  } catch (error) {
    if (!(error instanceof AgentError)) throw error
    return undefined
  }
}

/** `kubernetes.io`.node.uid of the service-account token. @throws AgentError if there is none */
export function readNodeUid(auth: Auth | undefined): string {
  if (auth?.method !== 'kubernetes' && auth?.method !== 'jwt') {
    throw new AgentError('credential-invalid', `the method ${auth?.method ?? 'none'} has no service-account token`)
  }
  const uid = readTokenClaims(auth.tokenFile).nodeUid
  if (uid === undefined) {
    throw new AgentError(
      'credential-invalid',
      `${auth.tokenFile} has no claim kubernetes.io/node/uid (Kubernetes 1.30 or newer)`,
    )
  }
  return uid
}

/** What the service-account token says of itself. @throws AgentError `credential-missing` or `credential-invalid` */
export function readTokenClaims(tokenFile: string): ServiceAccountClaims {
  return readClaims(readCredential(tokenFile), tokenFile)
}

function readCredential(file: string): Secret {
  let text: string
  try {
    text = readSmallFile(systemFiles, file, 64 * 1024).trim()
  } catch (cause) {
    throw new AgentError('credential-missing', messageOf(cause), { cause })
  }
  if (text === '') throw new AgentError('credential-invalid', `${file} is empty`)
  // It becomes part of a request; a control character means that the file is something else.
  if (/[^\x20-\x7e]/.test(text))
    throw new AgentError('credential-invalid', `${file} holds more than one line or is not text`)
  return new Secret(text)
}

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
