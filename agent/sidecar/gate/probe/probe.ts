/**
 * Owns asking etcd whether it accepts a bundle: every member at once, within one deadline, once. A bundle of its own in dist/
 * that is loaded when a probe is due for the first time.
 *
 * etcd denies a request of an unknown user and one beyond the user's grants in the same words. But it tells every user about
 * itself and about its own roles, and says so if there is no such user (etcd 3.4 to 3.6: `UserGet`, `RoleGet` in
 * server/etcdserver/apply/apply_auth.go). So a denied read is followed by these.
 */
import { systemCode } from '../../../core/errors.ts'
import { oneLine } from '../../../core/text.ts'
import { isVerificationCode, tlsText } from '../../../core/tls.ts'
import { type Identity, NotEtcdError, openConnection } from './connection.ts'
import { countGrants, decodeRoles, encodeRange, encodeRoleGet, encodeUserGet } from './messages.ts'
import { type Finding, type ProbeCode, summarize } from './outcome.ts'
import { type GrpcAnswer, openCalls, type UnaryCall } from './unary.ts'

export interface Question {
  readonly endpoints: readonly string[]
  readonly identity: Identity
  /** The common name. */
  readonly user: string
  readonly timeoutMs: number
  /** Ends the probe at once. */
  readonly stop: AbortSignal
}

/** Rejects only for bugs. */
export async function askEtcd({ endpoints, identity, user, timeoutMs, stop }: Question): Promise<Finding> {
  const done = new AbortController()
  const timer = setTimeout(() => done.abort(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs)
  const stopped = (): void => done.abort(new Error('the agent is stopping'))
  stop.addEventListener('abort', stopped)
  if (stop.aborted) stopped()
  try {
    const findings = endpoints.map(async (endpoint) => {
      const finding = await askMember(endpoint, identity, user, done.signal)
      // One that accepts is enough: the others need not be waited for.
      if (finding.code === 'accepted') done.abort(new Error('not needed any more'))
      return finding
    })
    return summarize(await Promise.all(findings))
  } finally {
    clearTimeout(timer)
    stop.removeEventListener('abort', stopped)
  }
}

/** Every role that Calico documents may read it (docs/reference/etcd-rbac). Whether it exists does not matter. */
const readByAll = '/calico/resources/v3/projectcalico.org/clusterinformations/default'

/** More roles than anybody gives to one user. */
const maxRoles = 32

/** One conversation on one connection. Never rejects for what a member does; the detail starts with the endpoint. */
async function askMember(endpoint: string, identity: Identity, user: string, signal: AbortSignal): Promise<Finding> {
  let finding: Finding
  try {
    const socket = await openConnection(endpoint, identity, signal)
    try {
      finding = await converse(openCalls(endpoint, socket), user)
    } finally {
      socket.destroy()
    }
  } catch (error) {
    if (isBug(error)) throw error
    finding = translateError(signal.aborted ? signal.reason : error)
  }
  return { code: finding.code, detail: `${endpoint}: ${finding.detail}` }
}

async function converse(call: UnaryCall, user: string): Promise<Finding> {
  const read = await call('/etcdserverpb.KV/Range', encodeRange(readByAll))
  if (read.status === 0) return { code: 'accepted', detail: `accepted as ${user}` }
  if (!isDenied(read)) return translateStatus(read)
  const known = await call('/etcdserverpb.Auth/UserGet', encodeUserGet(user))
  if (isUnknownUser(known)) return { code: 'etcd-unknown-user', detail: `there is no user ${user}` }
  if (isDenied(known))
    return { code: 'etcd-ignores-certificate', detail: `${user} may not ask about itself: etcd sees another user` }
  if (known.status !== 0) return translateStatus(known)
  return await judgeRoles(call, user, decodeRoles(known.message))
}

async function judgeRoles(call: UnaryCall, user: string, roles: readonly string[]): Promise<Finding> {
  for (const role of roles.slice(0, maxRoles)) {
    const granted = await call('/etcdserverpb.Auth/RoleGet', encodeRoleGet(role))
    if (granted.status === 0 && countGrants(granted.message) > 0)
      return { code: 'accepted', detail: `accepted as ${user} with the role ${role}` }
  }
  const why = roles.length === 0 ? 'has no role' : `has ${oneLine(roles.join(', '), 300)} without any grant`
  return { code: 'etcd-permission-denied', detail: `${user} ${why}` }
}

/** A mistake of ours, not of a member. */
function isBug(error: unknown): boolean {
  return error instanceof TypeError || error instanceof ReferenceError
}

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

function isDenied(answer: GrpcAnswer): boolean {
  return answer.status === status.permissionDenied
}

/** "etcdserver: user name not found", of UserGet. */
function isUnknownUser({ status: code, text }: GrpcAnswer): boolean {
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
