/**
 * Owns what can be made to go wrong between a client and the development Vault: slow, wrong, cut, endless or missing answers, for
 * some requests, some times. A test injects a fault, and takes it away again.
 */
import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

export interface FaultRequest {
  readonly method: string
  /** Without `/v1/` and the query. */
  readonly path: string
}

export interface Fault {
  /** Every request when absent; a text is a prefix of the path. */
  readonly match?: string | ((request: FaultRequest) => boolean)
  /** How many requests it meets. Default: all until it is removed. */
  readonly times?: number
  readonly latencyMs?: number
  /** With `body` and `headers`: this instead of Vault's answer, which is then never made. */
  readonly status?: number
  /** An object is sent as JSON. */
  readonly body?: string | object
  readonly headers?: Readonly<Record<string, string>>
  /** The connection ends after so many bytes of the body, which promised more. */
  readonly truncate?: number
  /** The request is read and never answered. */
  readonly hang?: boolean
  /** The connection is reset. */
  readonly reset?: boolean
  /** 307 to this URL. */
  readonly redirect?: string
  /** A body of so many bytes. */
  readonly oversize?: number
  /** Moves the Date header. */
  readonly dateOffsetSeconds?: number
}

export interface Faults {
  /** Returns what removes it. The first fault that matches a request is the one it meets. */
  inject(fault: Fault): () => void
  clear(): void
}

export interface FaultControl extends Faults {
  /** The fault that this request meets, counted. */
  take(request: FaultRequest): Fault | undefined
}

export function createFaults(): FaultControl {
  const active: { readonly fault: Fault; left: number }[] = []
  const remove = (entry: (typeof active)[number]): void => {
    const index = active.indexOf(entry)
    if (index !== -1) active.splice(index, 1)
  }
  return {
    inject(fault) {
      const entry = { fault, left: fault.times ?? Number.POSITIVE_INFINITY }
      active.push(entry)
      return () => remove(entry)
    },
    clear: () => {
      active.length = 0
    },
    take(request) {
      const entry = active.find(({ fault }) => matches(fault, request))
      if (entry === undefined) return undefined
      entry.left -= 1
      if (entry.left <= 0) remove(entry)
      return entry.fault
    },
  }
}

function matches({ match }: Fault, request: FaultRequest): boolean {
  if (match === undefined) return true
  return typeof match === 'string' ? request.path.startsWith(match) : match(request)
}

/** True when the fault has taken the request over: there is nothing left to answer. */
export function takesOver(fault: Fault, connection: Socket | undefined): boolean {
  if (fault.reset === true) connection?.resetAndDestroy()
  return fault.reset === true || fault.hang === true
}

/** What is sent instead of Vault's answer, if the fault says so. */
export function replacement(
  fault: Fault,
): { status: number; headers: Record<string, string>; body: string } | undefined {
  const { status, body, headers = {}, redirect, oversize } = fault
  if (redirect !== undefined) return { status: 307, headers: { Location: redirect, ...headers }, body: '' }
  if (oversize !== undefined) {
    const padding = 'x'.repeat(Math.max(0, oversize - '{"data":""}'.length))
    return {
      status: status ?? 200,
      headers: { 'Content-Type': 'application/json', ...headers },
      body: `{"data":"${padding}"}`,
    }
  }
  if (status === undefined && body === undefined) return undefined
  const text = typeof body === 'string' ? body : JSON.stringify(body ?? { errors: [] })
  return { status: status ?? 200, headers: { 'Content-Type': 'application/json', ...headers }, body: text }
}

/** Sends a whole answer, or as much of it as the fault lets through. Returns when it is out. */
export async function send(response: ServerResponse, fault: Fault | undefined, body: string | Buffer): Promise<void> {
  const content = Buffer.from(body)
  if (fault?.truncate === undefined) {
    await new Promise<void>((resolve) => {
      response.on('close', resolve)
      response.end(content)
    })
    return
  }
  await new Promise<void>((resolve) => {
    response.write(content.subarray(0, fault.truncate), () => resolve())
    response.flushHeaders()
  })
  response.destroy()
}
