/** Owns translating what goes wrong at a member into a finding: errors of TLS and of the system, and gRPC's statuses. */
import { systemCode } from '../../../core/errors.ts'
import { oneLine } from '../../../core/text.ts'
import { isVerificationCode, tlsText } from '../../../core/tls.ts'
import { NotEtcdError } from './connection.ts'
import type { Finding, ProbeCode } from './outcome.ts'
import type { GrpcAnswer } from './unary.ts'

const mostDetail = 300

/** An error of the connection or of the signal that ended it, NotEtcdError, or the RangeError of a malformed message. */
export function translateError(error: unknown): Finding {
  // Several addresses were tried and each failed (RFC 8305): the first failure speaks for them.
  if (error instanceof AggregateError && error.errors.length > 0) return translateError(error.errors[0])
  const code = systemCode(error)
  const text = error instanceof Error ? tlsText(error) : String(error)
  return { code: errorReason(error, code), detail: oneLine(code === '' ? text : `${text} (${code})`, mostDetail) }
}

function errorReason(error: unknown, code: string): ProbeCode {
  if (error instanceof NotEtcdError || error instanceof RangeError) return 'etcd-bad-answer'
  if (certificateAlert.test(code)) return 'etcd-rejected-certificate'
  if (isVerificationCode(code)) return 'etcd-untrusted-server'
  return /^ERR_|^EPROTO$/.test(code) ? 'etcd-bad-answer' : 'etcd-unheard'
}

/** Alerts that say something of our certificate (RFC 8446, 6.2), as OpenSSL names them; Go 1.2x sends 42, 45, 48 and 116. */
const certificateAlert =
  /_ALERT_(NO_CERTIFICATE|BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|CERTIFICATE_(REVOKED|EXPIRED|UNKNOWN|REQUIRED)|UNKNOWN_CA|ACCESS_DENIED|DECRYPT_ERROR)/

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
  return { code: statusReason(code, text), detail: oneLine(`${text} (gRPC ${code})`, mostDetail) }
}

function statusReason(code: number, text: string): ProbeCode {
  // "user name is empty": authentication is on, and no name came with the connection.
  if (code === status.invalidArgument && text.includes('user name is empty')) return 'etcd-ignores-certificate'
  if (code === status.unauthenticated) return 'etcd-ignores-certificate'
  if (code === status.unimplemented) return 'etcd-bad-answer'
  // No leader, too slow, too busy, "revision of auth store is old": all of it passes.
  return 'etcd-unheard'
}
