/** Owns translating what the Kubernetes API answers, and what the connection to it suffers, into reasons. */
import { AgentError, messageOf, systemCode } from '../../core/errors.ts'
import type { ReasonCode } from '../../core/reason-catalog.ts'
import { oneLine } from '../../core/text.ts'
import { isTlsCode } from '../../core/tls-error.ts'

const timeoutCodes = new Set([
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'ETIMEDOUT',
])

/** @param where what was asked, for the message. An error that nothing here knows is returned as it is: a bug */
export function translateKubeError(error: unknown, where: string): unknown {
  if (error instanceof AgentError || !(error instanceof Error)) return error
  const code = systemCode(error)
  const reason = reasonOf(code)
  return reason === undefined ? error : new AgentError(reason, `${where}: ${messageOf(error)}`, { cause: error })
}

function reasonOf(code: string): ReasonCode | undefined {
  if (isTlsCode(code)) return 'kube-tls'
  if (timeoutCodes.has(code)) return 'kube-timeout'
  if (/^(HPE_|UND_ERR_RES|ERR_ASSERTION)/.test(code)) return 'kube-bad-answer'
  return code === '' ? undefined : 'kube-unreachable'
}

/** Of an HTTP status, or of the status in an ERROR event. */
export function statusError(status: number, message: string, where: string, retryAfterMs?: number): AgentError {
  const sentence = oneLine(message, 300)
  return new AgentError(codeOf(status), `${where}: ${status} ${sentence}`.trim(), { retryAfterMs })
}

function codeOf(status: number): ReasonCode {
  if (status === 401) return 'kube-unauthorized'
  if (status === 403) return 'kube-denied'
  if (status === 410) return 'kube-expired'
  if (status === 504 || status === 408) return 'kube-timeout'
  return status === 429 || status >= 500 ? 'kube-busy' : 'kube-bad-answer'
}
