/**
 * Owns the way to etcd: etcd3 behind `EtcdAuthApi`. One etcd3 client for each endpoint, since its own failover counts errors
 * whatever their reasons; a deadline for every call; the one loop that tries again; and the translation of what etcd3 throws.
 */
import { Etcd3, type IOptions } from 'etcd3'
import type { EtcdAddress } from '../../config/etcd.ts'
import { systemClock } from '../../core/clock.ts'
import { AgentError, messageOf } from '../../core/errors.ts'
import type { ReasonCode } from '../../core/reason-catalog.ts'
import { retryCall } from '../../core/retry-loop.ts'
import { oneLine } from '../../core/text.ts'
import type { EtcdBootstrapApi } from './api.ts'
import { authCalls, type Call, keyCalls } from './calls.ts'

/** The endpoints are tried in their order. */
export interface EtcdOptions extends Pick<EtcdAddress, 'endpoints' | 'ca' | 'cert' | 'key'> {
  /** Instead of the certificate's common name: the way back of the bootstrap. */
  readonly password?: { readonly user: string; readonly password: string }
  /** Of one call. Default 10 s: etcd gives up on a request after 5 to 7 s itself. */
  readonly deadlineMs?: number
  /** How long a call is tried again while etcd is away or without a leader. Default 15 s: an election takes one or two. */
  readonly patienceMs?: number
}

export interface EtcdClient extends EtcdBootstrapApi {
  close(): void
}

/** What may be better on another member. `etcd-busy` is better in a moment on the same one. */
const elsewhere = new Set(['etcd-unreachable', 'etcd-tls', 'etcd-timeout', 'etcd-no-leader'])
const longestPauseMs = 1000

export function openEtcd(options: EtcdOptions): EtcdClient {
  const { endpoints, patienceMs = 15_000 } = options
  const clients = endpoints.map((endpoint) => new Etcd3(clientOptions(options, endpoint)))
  let current = 0
  const call: Call = async (what) => {
    const giveUpAt = systemClock.monotonic() + patienceMs
    const refusedByTls = new Set<number>()
    let failures = 0
    let index = current
    const attempt = async () => {
      index = current
      try {
        return await what(clients[index] as Etcd3)
      } catch (error) {
        throw translateEtcdError(error, endpoints[index] ?? '')
      }
    }
    return await retryCall(systemClock, attempt, (failure) => {
      const mayMove = elsewhere.has(failure.code)
      if (!mayMove && failure.code !== 'etcd-busy') throw failure
      // Calls run side by side: only the first to fail on this endpoint moves on.
      if (mayMove && current === index) current = (index + 1) % endpoints.length
      if (failure.code === 'etcd-tls') refusedByTls.add(index)
      // A certificate does not become good by waiting.
      if (refusedByTls.size === endpoints.length || systemClock.monotonic() > giveUpAt) throw failure
      failures++
      return mayMove && failures < endpoints.length ? 0 : Math.min(longestPauseMs, 25 * 2 ** failures)
    })
  }
  return {
    ...authCalls(call),
    ...keyCalls(call),
    close: () => {
      for (const client of clients) client.close()
    },
  }
}

/** The client is never put into a message or an error: it holds the private key. */
function clientOptions({ ca, cert, key, password, deadlineMs = 10_000 }: EtcdOptions, endpoint: string): IOptions {
  // etcd3's circuit breakers would hide the first error behind "circuit open"; our loop does what they are for.
  const justRun = { execute: (run: (context: object) => unknown) => run({ signal: new AbortController().signal }) }
  return {
    hosts: endpoint,
    credentials: {
      rootCertificate: Buffer.from(ca),
      privateKey: Buffer.from(key.reveal()),
      certChain: Buffer.from(cert),
    },
    ...(password !== undefined && { auth: { username: password.user, password: password.password } }),
    // `dialTimeout` is never read by etcd3.
    defaultCallOptions: ({ isStream }) => (isStream ? {} : { deadline: Date.now() + deadlineMs }),
    faultHandling: { global: justRun, host: () => justRun } as unknown as NonNullable<IOptions['faultHandling']>,
    grpcOptions: {
      // The names of 20,000 users are one answer.
      'grpc.max_receive_message_length': 64 * 1024 * 1024,
      // Notices a member that vanished without a word before the deadline of every call does.
      'grpc.keepalive_time_ms': 10_000,
      'grpc.keepalive_timeout_ms': 5000,
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 1000,
    },
  }
}

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

/**
 * etcd3 drops the gRPC status code; it is the first word of the message.
 * @param where the endpoint. An error that nothing here knows is returned as it is: a bug
 */
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
