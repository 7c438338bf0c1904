/** Owns translating what goes wrong at a member into a finding: errors of TLS and of the system, and gRPC's statuses. */
import { messageOf, systemCode } from '../../errors.ts'
import { NotEtcdError } from './connection.ts'
import type { Finding, ProbeCode } from './outcome.ts'
import type { GrpcAnswer } from './unary.ts'

/** An error of the connection or of the signal that ended it, NotEtcdError, or the RangeError of a malformed message. */
export function translateError(error: unknown): Finding {
  // Several addresses were tried and each failed (RFC 8305): the first failure speaks for them.
  if (error instanceof AggregateError && error.errors.length > 0) return translateError(error.errors[0])
  const code = systemCode(error)
  const reason = error instanceof Error && 'reason' in error && typeof error.reason === 'string' ? error.reason : ''
  const text = (reason || messageOf(error)).replace(/; if the root CA is installed locally.*$/s, '')
  return { code: errorReason(error, code), detail: oneLine(code === '' ? text : `${text} (${code})`) }
}

function errorReason(error: unknown, code: string): ProbeCode {
  if (error instanceof NotEtcdError || error instanceof RangeError) return 'etcd-bad-answer'
  if (certificateAlert.test(code)) return 'etcd-rejected-certificate'
  if (verification.test(code)) return 'etcd-untrusted-server'
  return /^ERR_|^EPROTO$/.test(code) ? 'etcd-bad-answer' : 'etcd-unheard'
}

/** Alerts that say something of our certificate (RFC 8446, 6.2), as OpenSSL names them; Go 1.2x sends 42, 45, 48 and 116. */
const certificateAlert =
  /_ALERT_(NO_CERTIFICATE|BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|CERTIFICATE_(REVOKED|EXPIRED|UNKNOWN|REQUIRED)|UNKNOWN_CA|ACCESS_DENIED|DECRYPT_ERROR)/

/** What OpenSSL and Node find wrong with the certificate of the server. */
const verification =
  /^(CERT_|CRL_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|ERR_TLS_CERT_|ERROR_IN_|HOSTNAME_MISMATCH|INVALID_|PATH_LENGTH_|CA_|EE_|UNSPECIFIED$)/

/** gRPC's codes. */
const status = {
  invalidArgument: 3,
  failedPrecondition: 9,
  permissionDenied: 7,
  unimplemented: 12,
  unauthenticated: 16,
}

export function isDenied(answer: GrpcAnswer): boolean {
  return answer.status === status.permissionDenied
}

/** "etcdserver: user name not found", of UserGet. */
export function isUnknownUser({ status: code, text }: GrpcAnswer): boolean {
  return code === status.failedPrecondition && text.includes('user name not found')
}

/** A status that is neither 0 nor a denial. */
export function translateStatus({ status: code, text }: GrpcAnswer): Finding {
  return { code: statusReason(code, text), detail: oneLine(`${text} (gRPC ${code})`) }
}

function statusReason(code: number, text: string): ProbeCode {
  // "user name is empty": authentication is on, and no name came with the connection.
  if (code === status.invalidArgument && text.includes('user name is empty')) return 'etcd-ignores-certificate'
  if (code === status.unauthenticated) return 'etcd-ignores-certificate'
  if (code === status.unimplemented) return 'etcd-bad-answer'
  // No leader, too slow, too busy, "revision of auth store is old": all of it passes.
  return 'etcd-unheard'
}

/** Control characters would forge lines of the log. */
export function oneLine(text: string): string {
  return text
    .replaceAll(/[\s\p{Cc}]+/gu, ' ')
    .trim()
    .slice(0, 300)
}
