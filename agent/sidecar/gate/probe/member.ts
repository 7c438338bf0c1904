/**
 * Owns the conversation with one member, on one connection: is this certificate a user that may do something?
 *
 * etcd denies a request of an unknown user and one beyond the user's grants in the same words. But it tells every user about
 * itself and about its own roles, and says so if there is no such user (etcd 3.4 to 3.6: `UserGet`, `RoleGet` in
 * server/etcdserver/apply/apply_auth.go). So a denied read is followed by these.
 */
import { oneLine } from '../../../core/text.ts'
import { type Identity, openConnection } from './connection.ts'
import { isDenied, isUnknownUser, translateError, translateStatus } from './failure.ts'
import { countGrants, decodeRoles, encodeRange, encodeRoleGet, encodeUserGet } from './messages.ts'
import type { Finding } from './outcome.ts'
import { openCalls, type UnaryCall } from './unary.ts'

/** Every role that Calico documents may read it (docs/reference/etcd-rbac). Whether it exists does not matter. */
const readByAll = '/calico/resources/v3/projectcalico.org/clusterinformations/default'

/** More roles than anybody gives to one user. */
const maxRoles = 32

/** Never rejects for what a member does; the detail starts with the endpoint. */
export async function askMember(
  endpoint: string,
  identity: Identity,
  user: string,
  signal: AbortSignal,
): Promise<Finding> {
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
