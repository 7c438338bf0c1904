/**
 * Owns HTTP to Vault, at whichever of its addresses answers. Each request has a deadline, at most 1 MiB of answer, and at most one
 * redirect, to a host that is verified in the same way. Every failure becomes an AgentError. A connection is open only while somebody
 * holds it: between two rotations no socket and no buffer is kept, and the next rotation reads the TLS files again.
 */
import type { VaultAddress } from '../config/vault.ts'
import type { Clock } from '../core/clock.ts'
import { AgentError } from '../core/errors.ts'
import { parseJson } from '../core/json.ts'
import { createAddressChoice, joined, mayHelpElsewhere, type Place, planRedirect } from './addresses.ts'
import { createConnections } from './connections.ts'
import { type Answer, translateAnswer, translateConnectionError } from './failure.ts'
import type { SkewMeter } from './skew.ts'
import type { TlsMaterial } from './tls-files.ts'
import type { Operation, VaultListener } from './vault-event.ts'

export interface VaultRequest {
  readonly operation: Operation
  readonly method: 'GET' | 'POST' | 'DELETE'
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
  /** The origin to begin with. Default: the first one of the address. */
  readonly first?: string | undefined
  readonly clock: Clock
  readonly skew: SkewMeter
  readonly emit: VaultListener
  /** Called with the TLS material before a connection is made (see core/v8-tuning.ts). */
  readonly beforeConnect?: ((material: TlsMaterial) => void) | undefined
}

export function createTransport({ address, first, clock, skew, emit, beforeConnect }: TransportOptions): Transport {
  const connections = createConnections(address, beforeConnect)
  const choice = createAddressChoice(address.origins, first ?? address.origins[0] ?? '', clock)
  /** What Vault Enterprise has written for us while the connection is held: other nodes of it must have seen as much. */
  let index: string | undefined
  let holders = 0
  /** The next attempt gets a new connection, and reads the TLS files again. */
  let isFailed = false
  let destroyed = false

  async function send(
    request: VaultRequest,
    { origin, path }: Place,
    where: string,
    signal: AbortSignal,
  ): Promise<Answer> {
    if (destroyed) throw new AgentError('vault-connection-lost', `${where}: the agent is stopping`)
    const { statusCode, headers, body } = await connections.to(origin).request({
      method: request.method,
      path,
      headers: {
        ...request.headers,
        ...(index === undefined ? {} : { 'X-Vault-Index': index }),
        ...(request.json === undefined ? {} : { 'content-type': 'application/json' }),
      },
      body: request.json === undefined ? null : JSON.stringify(request.json),
      signal,
    })
    // Told again with each answer: our own clock may have been set since.
    const skewMs = skew.measured()
    if (skewMs !== undefined) emit({ type: 'clock-skew', skewMs })
    if (isIndex(headers['x-vault-index'])) index = headers['x-vault-index']
    return { status: statusCode, headers, body: parseBody(await body.text(), statusCode, where) }
  }

  /** One request to one address, with what may follow from its answer there. */
  async function exchange(request: VaultRequest, origin: string, timeoutMs: number): Promise<Answer> {
    const signal = AbortSignal.timeout(timeoutMs)
    const asked = { origin, path: request.path }
    let where = `${request.method} ${origin}${request.path}`
    try {
      let answer = await send(request, asked, where, signal)
      // A performance standby that has not seen yet what was written before says 412: a moment later it has.
      if (answer.status === 412) {
        const { retryAfterMs = behindMs } = translateAnswer(answer, request.operation, where)
        if (retryAfterMs < address.timeoutMs) {
          await clock.sleep(retryAfterMs, signal)
          answer = await send(request, asked, where, signal)
        }
      }
      const redirect = planRedirect(answer, asked, address)
      if (typeof redirect === 'object') {
        if (redirect.origin !== origin) where += `, redirected to ${redirect.origin}`
        answer = await send(request, redirect, where, signal)
      }
      if (answer.status === 200 || answer.status === 204) return answer
      throw translateAnswer(answer, request.operation, where, typeof redirect === 'string' ? redirect : undefined)
    } catch (error) {
      throw translateConnectionError(error, where, timeoutMs)
    }
  }

  /** Asks the first address, and the next one if that is no use. All of them share the deadline. */
  async function ask(request: VaultRequest): Promise<Answer> {
    const startedAt = clock.monotonic()
    const failures: AgentError[] = []
    const order = choice.order()
    for (const [tried, origin] of order.entries()) {
      const leftMs = address.timeoutMs - (tried === 0 ? 0 : clock.monotonic() - startedAt)
      try {
        const answer = await exchange(request, origin, Math.max(1, Math.ceil(leftMs / (order.length - tried))))
        answered(origin, failures)
        return answer
      } catch (error) {
        if (!mayHelpElsewhere(error) || destroyed) throw error
        failures.push(error)
      }
    }
    throw joined(failures)
  }

  function answered(origin: string, failures: readonly AgentError[]): void {
    if (address.origins.length < 2 || !choice.answered(origin)) return
    const instead = failures.map(({ code, message }) => ({ reason: code, detail: message }))
    emit({ type: 'vault-address', address: origin, instead })
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
    connections.destroy()
    index = undefined
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
      const finished = (outcome: string): void => {
        emit({
          type: 'vault-request',
          operation: request.operation,
          outcome,
          durationMs: clock.monotonic() - startedAt,
        })
      }
      try {
        const answer = await ask(request)
        finished('ok')
        return answer
      } catch (error) {
        isFailed = true
        finished(error instanceof AgentError ? error.code : 'bug')
        throw error
      } finally {
        release()
      }
    },
  }
}

/** As Vault's own client waits: https://github.com/hashicorp/vault/blob/main/api/client.go, DefaultRetryPolicy. */
const behindMs = 200

/** It becomes a header. */
function isIndex(value: unknown): value is string {
  return typeof value === 'string' && /^[\x21-\x7e]{1,1000}$/.test(value)
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

/** Vault answers in JSON, also when it refuses. What stands before it may use plain text. If that is a web page, only its status counts. */
function parseBody(text: string, status: number, where: string): unknown {
  if (text.trim() === '') return undefined
  const body = parseJson(text)
  if (body !== undefined) return body
  if (status < 300) throw new AgentError('vault-bad-answer', `${where}: the answer is not JSON`)
  return /^\s*</.test(text) ? undefined : text
}
