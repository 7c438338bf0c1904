/**
 * Owns the Vault token and its life: logs in when a call needs a token, once for all targets, and once more after a 403.
 * Nothing is renewed in the background but a token that was handed to us: a login costs one request, a rotation needs it
 * once in hours, and batch tokens cannot be renewed.
 */

import type { Auth } from '../config/auth.ts'
import { type Clock, isoTime } from '../core/clock.ts'
import { AgentError } from '../core/errors.ts'
import { revealed, Secret } from '../core/secret.ts'
import type { Token } from './answers.ts'
import { type Credentials, tokenHeader, type VaultApi } from './client.ts'
import { type LoginFields, type LoginMethod, readLoginParameters, readStaticToken } from './credentials.ts'
import { loginEvidence, type SkewMeter } from './skew.ts'
import type { VaultListener } from './vault-event.ts'

export interface Session {
  /** Calls with credentials. @throws AgentError of the login or of the call */
  use<Result>(call: (credentials: Credentials) => Promise<Result>): Promise<Result>
  /** Renews a token that was handed to us, when half of its life is over. To be called now and then. @throws AgentError */
  maintain(): Promise<void>
}

export interface SessionOptions {
  readonly auth: Auth
  /** NODE_NAME. */
  readonly node: string
  readonly inline: boolean
  readonly api: VaultApi
  readonly clock: Clock
  readonly skew: SkewMeter
  readonly emit: VaultListener
}

interface HeldToken extends Token {
  /** By the monotonic clock: Vault counts the seconds of the lease, not ours. */
  readonly obtainedAt: number
}

export function createSession({ auth, node, inline, api, clock, skew, emit }: SessionOptions): Session {
  let held: HeldToken | undefined
  let pending: Promise<HeldToken> | undefined

  const leftMs = ({ ttlSeconds, obtainedAt }: HeldToken): number =>
    ttlSeconds === 0 ? Number.POSITIVE_INFINITY : ttlSeconds * 1000 - (clock.monotonic() - obtainedAt)

  /** A tenth of its life is left for the calls that it is used for. */
  const isUsable = (each: HeldToken): boolean => leftMs(each) > each.ttlSeconds * 100

  function hold(obtained: Token): HeldToken {
    held = { ...obtained, obtainedAt: clock.monotonic() }
    const { ttlSeconds } = obtained
    const expiresAtMs = ttlSeconds === 0 ? undefined : clock.now() + ttlSeconds * 1000
    if (auth.method === 'token') emit({ type: 'token', expiresAtMs })
    else emit({ type: 'login', method: auth.method, mount: auth.mount, expiresAtMs })
    return held
  }

  async function logIn(): Promise<HeldToken> {
    if (auth.method !== 'token') return hold(await withLogin(auth, (fields) => api.login(auth.mount, fields)))
    const tell = skew.asking()
    const looked = await api.lookupToken(readStaticToken(auth))
    tell(looked.evidence)
    return hold(looked)
  }

  /** Sends a request that logs in with what stands in the files now. */
  async function withLogin<Result>(
    method: LoginMethod,
    send: (fields: LoginFields) => Promise<Result>,
  ): Promise<Result> {
    const tell = skew.asking()
    const { parameters, expiresAtMs, beginsAtMs } = readLoginParameters(method, node)
    emit({ type: 'credential', expiresAtMs })
    try {
      const result = await send(parameters)
      tell(loginEvidence(beginsAtMs, expiresAtMs))
      return result
    } catch (error) {
      throw explainExpiry(error, expiresAtMs)
    }
  }

  /** Vault judges the token. If it refuses one that has expired, the error says so. */
  function explainExpiry(error: unknown, expiresAtMs: number | undefined): unknown {
    if (!(error instanceof AgentError) || error.code !== 'vault-login-refused') return error
    if (expiresAtMs === undefined || expiresAtMs > skew.now()) return error
    const file = 'tokenFile' in auth ? auth.tokenFile : 'the token'
    const detail = `${file} expired at ${isoTime(expiresAtMs)}; ${error.message}`
    return new AgentError('credential-expired', detail, { cause: error })
  }

  async function token(): Promise<HeldToken> {
    // A token in a file may have been replaced by whoever writes it.
    if (auth.method === 'token' && held?.token.reveal() !== readStaticToken(auth).reveal()) held = undefined
    if (held !== undefined && isUsable(held)) return held
    pending ??= logIn().finally(() => {
      pending = undefined
    })
    return pending
  }

  async function useToken<Result>(call: (credentials: Credentials) => Promise<Result>): Promise<Result> {
    const known = held
    const first = await token()
    try {
      return await call(tokenHeader(first.token))
    } catch (error) {
      if (!(error instanceof AgentError) || error.code !== 'vault-denied') throw error
      if (held === first) held = undefined
      // A token that is a moment old was not forgotten by Vault: its policy says no.
      if (first !== known) throw error
      return await call(tokenHeader((await token()).token))
    }
  }

  async function useInline<Result>(call: (credentials: Credentials) => Promise<Result>): Promise<Result> {
    if (auth.method === 'token') throw new Error('inline authentication without a login method')
    return await withLogin(auth, async (fields) => {
      try {
        return await call(inlineHeaders(auth.mount, fields))
      } catch (error) {
        throw translateInlineRefusal(error)
      }
    })
  }

  return {
    use: (call) => (inline ? useInline(call) : useToken(call)),
    async maintain() {
      if (auth.method !== 'token') return
      // How long it lives is asked for if it is not known yet: after a restart, the first use may be hours away.
      const current = await token()
      if (current.renewable && leftMs(current) < current.ttlSeconds * 500) hold(await api.renewToken(current.token))
    },
  }
}

const prefix = 'X-Vault-Inline-Auth'

/**
 * Inline authentication (OpenBao 2.4 and newer): login parameters travel in the headers of the request itself, so that one request does
 * the work of two and no token is made.
 * @see https://openbao.org/docs/concepts/auth/#inline-authentication
 */
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
