/**
 * Owns inline authentication (OpenBao 2.4 and newer): login parameters travel in the headers of the request itself, so that
 * one request does the work of two and no token is made.
 * @see https://openbao.org/docs/concepts/auth/#inline-authentication
 */
import { AgentError } from '../core/errors.ts'
import { revealed, Secret } from '../core/secret.ts'
import type { Credentials } from './client.ts'
import type { LoginFields } from './credentials.ts'

const prefix = 'X-Vault-Inline-Auth'

export function inlineHeaders(mount: string, parameters: LoginFields): Credentials {
  const headers: Record<string, string | Secret> = {
    [`${prefix}-Path`]: `auth/${mount}/login`,
    [`${prefix}-Operation`]: 'update',
  }
  for (const [key, value] of Object.entries(revealed(parameters))) {
    const text = Buffer.from(JSON.stringify({ key, value })).toString('base64url')
    headers[`${prefix}-Parameter-${key}`] = new Secret(text)
  }
  return headers
}

/**
 * A server that does not know the headers sees a request without a token: 403 `permission denied`, or 400 `missing client
 * token`. OpenBao's answer to a token whose policy says no begins with `1 error occurred`.
 */
export function translateInlineRefusal(error: unknown): unknown {
  if (!(error instanceof AgentError)) return error
  const isTokenless =
    (error.code === 'vault-denied' && /: 403 (permission denied|missing client token)/.test(error.message)) ||
    (error.code === 'vault-request-refused' && error.message.includes('missing client token'))
  return isTokenless ? new AgentError('inline-auth-unsupported', error.message, { cause: error }) : error
}
