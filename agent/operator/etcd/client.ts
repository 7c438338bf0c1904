/**
 * Owns the way to etcd: etcd3 behind `EtcdAuthApi`. One etcd3 client for each endpoint, since its own failover counts errors
 * whatever their reasons; a deadline for every call; and the one loop that tries again.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { Etcd3, type IOptions } from 'etcd3'
import { AgentError } from '../../core/errors.ts'
import type { EtcdBootstrapApi } from './api.ts'
import { authCalls, type Call, keyCalls } from './calls.ts'
import { translateEtcdError } from './failure.ts'

export interface EtcdOptions {
  /** `https://host:port`, in the order in which they are tried. */
  readonly endpoints: readonly string[]
  /** PEM. */
  readonly ca: string
  readonly cert: string
  readonly key: string
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

/** What may be better on another member, and what may be better in a moment on the same one. */
const elsewhere = new Set(['etcd-unreachable', 'etcd-tls', 'etcd-timeout', 'etcd-no-leader'])
const longestPauseMs = 1000

export function openEtcd(options: EtcdOptions): EtcdClient {
  const { endpoints, patienceMs = 15_000 } = options
  const clients = endpoints.map((endpoint) => new Etcd3(clientOptions(options, endpoint)))
  let current = 0
  const call: Call = async (what) => {
    const giveUpAt = performance.now() + patienceMs
    const refusedByTls = new Set<number>()
    for (let attempt = 0; ; attempt++) {
      const index = current
      try {
        return await what(clients[index] as Etcd3)
      } catch (error) {
        const failure = translateEtcdError(error, endpoints[index] ?? '')
        if (!(failure instanceof AgentError) || (failure.code !== 'etcd-busy' && !elsewhere.has(failure.code)))
          throw failure
        // Calls run side by side: only the first to fail on this endpoint moves on.
        if (elsewhere.has(failure.code) && current === index) current = (index + 1) % endpoints.length
        if (failure.code === 'etcd-tls') refusedByTls.add(index)
        // A certificate does not become good by waiting.
        if (refusedByTls.size === endpoints.length || performance.now() > giveUpAt) throw failure
        const hasOther = elsewhere.has(failure.code) && attempt < endpoints.length - 1
        if (!hasOther) await delay(Math.min(longestPauseMs, 50 * 2 ** Math.min(attempt, 6)))
      }
    }
  }
  return {
    ...authCalls(call),
    ...keyCalls(call),
    close: () => {
      for (const client of clients) client.close()
    },
  }
}

/** Neither the options nor the client are ever put into a message or an error: they hold the private key. */
function clientOptions({ ca, cert, key, password, deadlineMs = 10_000 }: EtcdOptions, endpoint: string): IOptions {
  // etcd3's circuit breakers would hide the first error behind "circuit open"; our loop does what they are for.
  const justRun = { execute: (run: (context: object) => unknown) => run({ signal: new AbortController().signal }) }
  return {
    hosts: endpoint,
    credentials: { rootCertificate: Buffer.from(ca), privateKey: Buffer.from(key), certChain: Buffer.from(cert) },
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
