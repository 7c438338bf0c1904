/** Owns translating what goes wrong on the way to Vault into reasons: system errors, TLS errors, and answers that say no. */
import { AgentError, messageOf, systemCode } from '../core/errors.ts'
import { field } from '../core/json.ts'
import type { ReasonCode } from '../core/reason-catalog.ts'
import { redactSecrets } from '../core/secret.ts'
import { oneLine } from '../core/text.ts'
import { isTlsCode, tlsText } from '../core/tls.ts'
import type { Operation } from './vault-event.ts'

export interface Answer {
  readonly status: number
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** Parsed JSON, or the text of a refusal that is no JSON; undefined for an empty body. */
  readonly body: unknown
}

const systemReasons: Readonly<Record<string, ReasonCode>> = {
  ENOTFOUND: 'vault-name-unresolved',
  // proxy.ts
  ERR_PROXY: 'vault-proxy',
  UND_ERR_CONNECT_TIMEOUT: 'vault-timeout',
  ETIMEDOUT: 'vault-timeout',
  UND_ERR_HEADERS_TIMEOUT: 'vault-timeout',
  UND_ERR_BODY_TIMEOUT: 'vault-timeout',
  UND_ERR_ABORTED: 'vault-timeout',
  ECONNRESET: 'vault-connection-lost',
  EPIPE: 'vault-connection-lost',
  UND_ERR_SOCKET: 'vault-connection-lost',
  UND_ERR_CLOSED: 'vault-connection-lost',
  UND_ERR_DESTROYED: 'vault-connection-lost',
  UND_ERR_INFO: 'vault-connection-lost',
  UND_ERR_RES_EXCEEDED_MAX_SIZE: 'vault-answer-too-large',
  UND_ERR_HEADERS_OVERFLOW: 'vault-bad-answer',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'vault-connection-lost',
}

/** An error of the connection. An error that nothing here knows is returned as it is: a bug. */
export function translateConnectionError(error: unknown, where: string, timeoutMs: number): unknown {
  if (error instanceof AgentError || !(error instanceof Error)) return error
  // Several addresses were tried and each failed (RFC 8305): the first failure speaks for them.
  if (error instanceof AggregateError && error.errors.length > 0) {
    return translateConnectionError(error.errors[0], where, timeoutMs)
  }
  const detail = (text: string): string => `${where}: ${text}`
  if (error.name === 'TimeoutError') {
    return new AgentError('vault-timeout', detail(`no complete answer within ${timeoutMs} ms`), { cause: error })
  }
  const code = systemCode(error)
  // ERR_ASSERTION is what undici says of a status below 100, or of an upgrade that nobody asked for.
  if (error.name === 'HTTPParserError' || code.startsWith('HPE_') || code === 'ERR_ASSERTION') {
    // Without its cause: that holds the bytes of the answer, which may be a token.
    return new AgentError('vault-bad-answer', detail('the answer is not HTTP/1.1'))
  }
  if (isTlsCode(code))
    return new AgentError('vault-tls', detail(`${oneLine(tlsText(error))} (${code})`), { cause: error })
  const reason = systemReasons[code] ?? otherSystemReason(code)
  return reason === undefined ? error : new AgentError(reason, detail(messageOf(error) || code), { cause: error })
}

/** getaddrinfo's codes, and whatever else the system says of a connection: no route, a firewall's EPERM, no descriptor left. */
function otherSystemReason(code: string): ReasonCode | undefined {
  if (code.startsWith('EAI_')) return 'vault-name-unresolved'
  return /^E[A-Z0-9]+$/.test(code) ? 'vault-unreachable' : undefined
}

/** An answer other than 200 and 204. @param remark what we say of it, if it says nothing itself */
export function translateAnswer(answer: Answer, operation: Operation, where: string, remark = ''): AgentError {
  const code = answerReason(answer, operation)
  const errors = errorTexts(answer.body) || emptyTexts(answer.body) || remark
  const detail = `${where}: ${answer.status}${errors === '' ? '' : ` ${errors}`}`
  if (code === 'issuer-too-young') return new AgentError(code, detail, { retryAfterMs: youngIssuerMs })
  // Counted from the server's own date: our clock may be wrong.
  const serverMs = parseHttpDate(single(answer.headers['date'])) ?? Date.now()
  return new AgentError(code, detail, { retryAfterMs: retryAfterMs(single(answer.headers['retry-after']), serverMs) })
}

/** Vault's default `not_before_duration`: a certificate begins so long before it is signed, and from Vault 1.21 on not before its issuer. */
const youngIssuerMs = 30_000

function answerReason({ status, body, headers }: Answer, operation: Operation): ReasonCode {
  const isLogin = operation === 'login' || headers['x-vault-inline-auth-failed'] === 'true'
  if (status >= 300 && status < 400) return 'vault-redirect'
  if (status === 429) return operation === 'health' ? 'vault-standby' : 'vault-rate-limited'
  if (status === 412 || status === 472 || status === 473) return 'vault-standby'
  if (status === 501) return 'vault-sealed'
  if (status === 503) return /sealed|not initialized/i.test(errorTexts(body)) ? 'vault-sealed' : 'vault-standby'
  // A standby that has not heard of a leader yet: https://github.com/hashicorp/vault/blob/main/sdk/helper/consts/error.go
  if (status === 500 && /active cluster node not found/.test(errorTexts(body))) return 'vault-standby'
  // An approle login with a wrong secret id is a 500 on Vault 1.13 and a 400 elsewhere.
  if (status >= 500)
    return isLogin && /invalid (secret|role)/.test(errorTexts(body)) ? 'vault-login-refused' : 'vault-server-error'
  if (isLogin) return 'vault-login-refused'
  if (operation === 'sign' && /notBefore before signer's notBefore/i.test(errorTexts(body))) return 'issuer-too-young'
  if (status === 401 || status === 403) return 'vault-denied'
  if (status === 404) return operation === 'secret' ? 'source-empty' : 'vault-not-found'
  return status >= 400 ? 'vault-request-refused' : 'vault-bad-answer'
}

/** Why the KV engine has nothing there: the version is deleted or destroyed, or the path is one of the other engine version. */
function emptyTexts(body: unknown): string {
  const metadata = field(field(body, 'data'), 'metadata')
  const number = field(metadata, 'version')
  const version = `version ${typeof number === 'number' ? number : 'unknown'}`
  if (field(metadata, 'destroyed') === true) return `${version} is destroyed`
  const deletedAt = field(metadata, 'deletion_time')
  if (typeof deletedAt === 'string' && deletedAt !== '') return printable(`${version} was deleted at ${deletedAt}`)
  const warnings = field(body, 'warnings')
  return Array.isArray(warnings) ? printable(warnings.filter((each) => typeof each === 'string').join('; ')) : ''
}

/** Vault's `{"errors": […]}`, or the plain text of something before it: one line, shortened, without secrets. */
export function errorTexts(body: unknown): string {
  if (typeof body === 'string') return printable(body)
  const errors = field(body, 'errors')
  return Array.isArray(errors) ? printable(errors.filter((each) => typeof each === 'string').join('; ')) : ''
}

function printable(text: string): string {
  return oneLine(redactSecrets(text), 500)
}

/** What a server asks for beyond it is not heard: no wait is as long, and some number of digits is no number any more. */
const longestAskedMs = 24 * 3_600_000

/** Retry-After (RFC 9110, 10.2.3) in milliseconds, a day at most: seconds or a date. */
export function retryAfterMs(text: string | undefined, nowMs: number): number | undefined {
  if (text !== undefined && /^\d+$/.test(text)) return Math.min(Number(text) * 1000, longestAskedMs)
  const atMs = parseHttpDate(text)
  return atMs === undefined ? undefined : Math.min(Math.max(0, atMs - nowMs), longestAskedMs)
}

function single(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header
}

/** The format has four digits for the year. */
const endOfDatesMs = Date.UTC(10_000, 0)

/** A date of an HTTP header (RFC 9110, 5.6.7). Milliseconds since the epoch; undefined for anything else, also for what Date.parse would take for a date (`-1`). */
export function parseHttpDate(text: string | undefined): number | undefined {
  // All three formats begin with the name of the day.
  const ms = text !== undefined && /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(text) ? Date.parse(text) : Number.NaN
  return Math.abs(ms) < endOfDatesMs ? ms : undefined
}
