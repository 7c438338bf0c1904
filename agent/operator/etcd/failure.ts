/** Owns translating what etcd3 throws into reasons. etcd3 drops the gRPC status code; it is the first word of the message. */
import { AgentError, messageOf } from '../../core/errors.ts'
import type { ReasonCode } from '../../core/reason-catalog.ts'
import { oneLine } from '../../core/text.ts'

/** etcd's own sentences (api/v3rpc/rpctypes/error.go), by a part that all versions since 3.4 have. */
const sentences: readonly (readonly [RegExp, ReasonCode])[] = [
  [/permission denied|user name is empty|invalid auth token|authentication failed/i, 'etcd-denied'],
  [/revision of auth store is old|too many requests|raft: stopped|memberID.*not ready/i, 'etcd-busy'],
  [/no leader|leader changed|request timed out|leader failed|server stopped|not healthy|learner/i, 'etcd-no-leader'],
  [/database space exceeded|no space/i, 'etcd-no-space'],
  [/(user|role) name not found/i, 'etcd-contended'],
]

/** gRPC status codes: https://grpc.io/docs/guides/status-codes/ */
const statuses: Readonly<Record<number, ReasonCode>> = {
  1: 'etcd-busy',
  4: 'etcd-timeout',
  7: 'etcd-denied',
  8: 'etcd-busy',
  14: 'etcd-unreachable',
  16: 'etcd-denied',
}

/** Parts of what OpenSSL and Node say when one side does not accept the other's certificate. */
const tlsText =
  /certificate|self.signed|tlsv1|ssl3?_|SSL routines|alert (number|bad|unknown)|altnames|wrong version number|EPROTO|ERR_(SSL|TLS)/i

/** @param where the endpoint. An error that nothing here knows is returned as it is: a bug. */
export function translateEtcdError(error: unknown, where: string): unknown {
  if (error instanceof AgentError || !(error instanceof Error)) return error
  const text = oneLine(messageOf(error))
  const [, status, message] = /^(?:\w+: )?(\d{1,2}) [A-Z_]+: (.*)$/.exec(text) ?? []
  if (status === undefined || message === undefined) return error
  const code = reasonOf(Number(status), message)
  // Without the cause: etcd3's errors hold nothing more, and its stack names no line of ours.
  return new AgentError(code, `${where}: ${shortened(message)}`)
}

function reasonOf(status: number, message: string): ReasonCode {
  const known = sentences.find(([pattern]) => pattern.test(message))
  // "No connection established. Last error: …": the last words may quote a certificate, the first never do.
  if (status === 14 && tlsText.test(message)) return 'etcd-tls'
  return known?.[1] ?? statuses[status] ?? 'etcd-refused'
}

/** grpc-js appends the times and states of its call and its channel. */
function shortened(message: string): string {
  return message.replace(/\s*(Resolution note:|;? ?metadata filters:).*$/, '').slice(0, 300)
}
