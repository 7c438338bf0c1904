/** Owns the files that the agent logs in with: each is read again before every login, as the kubelet renews it in place. */
import type { Auth } from '../config/auth.ts'
import { AgentError, messageOf } from '../core/errors.ts'
import { readSmallFile, systemFiles } from '../core/files.ts'
import { Secret } from '../core/secret.ts'
import { identityClaims, readClaims, type ServiceAccountClaims } from './jwt.ts'

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
export function readLoginParameters(auth: Exclude<Auth, { method: 'token' }>, node: string): LoginParameters {
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

/**
 * When the service-account token in its file ends, as it is now.
 * @returns undefined if there is none, it cannot be read, or it does not say
 */
export function readTokenExpiryMs(auth: Auth): number | undefined {
  if (auth.method !== 'kubernetes' && auth.method !== 'jwt') return undefined
  try {
    return readClaims(readCredential(auth.tokenFile), auth.tokenFile).expiresAtMs
  } catch (error) {
    // The next login says what is wrong with it.
    if (!(error instanceof AgentError)) throw error
    return undefined
  }
}

/** Who the agent logs in as, as far as a service-account token says so; undefined if there is none. */
export function fingerprintLogin(auth: Auth): string | undefined {
  if (auth.method !== 'kubernetes' && auth.method !== 'jwt') return undefined
  try {
    return identityClaims(readCredential(auth.tokenFile).reveal())
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
  const uid = readClaims(readCredential(auth.tokenFile), auth.tokenFile).nodeUid
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
