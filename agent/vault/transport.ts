/**
 * Owns HTTP to Vault: one undici client at a time, a deadline for each request, at most 1 MiB of answer, one redirect that
 * stays on the same origin, and every failure as an AgentError. It is open only while somebody holds it: between two
 * rotations no socket and no buffer is kept, and the next one reads the TLS files again.
 */
import type { SecureContextOptions } from 'node:tls'
import { Client } from 'undici'
import type { VaultAddress } from '../config/vault.ts'
import type { Clock } from '../core/clock.ts'
import { AgentError } from '../core/errors.ts'
import { type Answer, translateAnswer, translateConnectionError } from './failure.ts'
import type { SkewMeter } from './skew.ts'
import { readTlsMaterial, type TlsMaterial } from './tls-files.ts'
import type { Operation, VaultListener } from './vault-event.ts'

export interface VaultRequest {
  readonly operation: Operation
  readonly method: 'GET' | 'POST'
  /** Absolute, with `/v1/`. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly json: unknown
}

export interface Transport {
  /** Answers with status 200 or 204. @throws AgentError for everything else */
  request(request: VaultRequest): Promise<Answer>
  /** Keeps the connection open until the returned function is called. */
  hold(): () => void
  /** Ends every request at once, and every later one: the program is ending. */
  destroy(): void
}

export interface TransportOptions {
  readonly address: VaultAddress
  readonly clock: Clock
  readonly skew: SkewMeter
  readonly emit: VaultListener
  /** Called with the TLS material before a connection is made (see core/v8-tuning.ts). */
  readonly beforeConnect?: ((material: TlsMaterial) => void) | undefined
}

const maxAnswerBytes = 1024 * 1024

export function createTransport({ address, clock, skew, emit, beforeConnect }: TransportOptions): Transport {
  let client: Client | undefined
  let holders = 0
  /** The next attempt gets a new connection, and reads the TLS files again. */
  let isFailed = false
  let destroyed = false

  function open(): Client {
    const material = readTlsMaterial(address)
    beforeConnect?.(material)
    return new Client(address.origin, {
      allowH2: false,
      maxResponseSize: maxAnswerBytes,
      // The deadline below is the real one; these are only coarse.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: { timeout: address.timeoutMs, ...tlsOptions(material) },
    })
  }

  async function send(request: VaultRequest, path: string, where: string): Promise<Answer> {
    if (destroyed) throw new AgentError('vault-connection-lost', `${where}: the agent is stopping`)
    client ??= open()
    const { statusCode, headers, body } = await client.request({
      method: request.method,
      path,
      headers: { ...request.headers, ...(request.json === undefined ? {} : { 'content-type': 'application/json' }) },
      body: request.json === undefined ? null : JSON.stringify(request.json),
      signal: AbortSignal.timeout(address.timeoutMs),
    })
    // Told again with each answer: our own clock may have been set since.
    const skewMs = skew.measured()
    if (skewMs !== undefined) emit({ type: 'clock-skew', skewMs })
    return { status: statusCode, headers, body: parseBody(await body.text(), statusCode, where) }
  }

  async function exchange(request: VaultRequest, where: string): Promise<Answer> {
    let answer = await send(request, request.path, where)
    const redirected = sameOriginPath(answer, address.origin)
    if (redirected !== undefined) answer = await send(request, redirected, where)
    if (answer.status === 200 || answer.status === 204) return answer
    throw translateAnswer(answer, request.operation, where)
  }

  function hold(): () => void {
    holders++
    let held = true
    return () => {
      if (!held) return
      held = false
      if (--holders > 0) return
      if (isFailed) return disconnect()
      // After a success there is something better to do first: to publish it.
      setImmediate(() => {
        if (holders === 0) disconnect()
      })
    }
  }

  function disconnect(): void {
    // Not close(): that would wait for requests that nobody waits for any more.
    client?.destroy().catch(() => {})
    client = undefined
    isFailed = false
  }

  return {
    hold,
    destroy: () => {
      destroyed = true
      disconnect()
    },
    async request(request) {
      const release = hold()
      const startedAt = clock.monotonic()
      const where = `${request.method} ${address.origin}${request.path}`
      const finished = (outcome: string): void => {
        emit({
          type: 'vault-request',
          operation: request.operation,
          outcome,
          durationMs: clock.monotonic() - startedAt,
        })
      }
      try {
        const answer = await exchange(request, where)
        finished('ok')
        return answer
      } catch (error) {
        isFailed = true
        const translated = translateConnectionError(error, where, address.timeoutMs)
        finished(translated instanceof AgentError ? translated.code : 'bug')
        throw translated
      } finally {
        release()
      }
    },
  }
}

/** Makes a call with one connection for all of its requests. */
export async function holding<Result>(
  transport: Pick<Transport, 'hold'>,
  call: () => Promise<Result>,
): Promise<Result> {
  const release = transport.hold()
  try {
    return await call()
  } finally {
    release()
  }
}

/** What node:tls is told: nothing where nothing is configured, so that its own defaults hold. */
export function tlsOptions({
  ca,
  cert,
  key,
  servername,
}: TlsMaterial): SecureContextOptions & { servername?: string; rejectUnauthorized: true } {
  return {
    minVersion: 'TLSv1.2',
    // Said here, NODE_TLS_REJECT_UNAUTHORIZED is not asked.
    rejectUnauthorized: true,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(servername === undefined ? {} : { servername }),
  }
}

/** The path of a 307 that stays on the origin; undefined for every other answer. */
function sameOriginPath(answer: Answer, origin: string): string | undefined {
  const location = answer.headers['location']
  if (answer.status !== 307 || typeof location !== 'string' || !URL.canParse(location, origin)) return undefined
  const url = new URL(location, origin)
  return url.origin === origin ? url.pathname + url.search : undefined
}

/** Vault answers in JSON, also when it refuses; what stands before it may use plain text. Of a web page only the status counts. */
function parseBody(text: string, status: number, where: string): unknown {
  if (text.trim() === '') return undefined
  try {
    return JSON.parse(text)
  } catch {
    if (status >= 300) return /^\s*</.test(text) ? undefined : text
    // Without its cause: JSON.parse quotes what it read, which may be a token.
    throw new AgentError('vault-bad-answer', `${where}: the answer is not JSON`)
  }
}
