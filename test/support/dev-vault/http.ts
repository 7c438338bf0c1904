/** Owns HTTP: reading a request the way Vault does, with its faults, and writing the answer. */

import { X509Certificate } from 'node:crypto'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { TLSSocket } from 'node:tls'
import { VaultFailure } from './failure.ts'
import { type FaultControl, replacement, send, takesOver } from './faults.ts'
import type { LogicalRequest, Operation } from './logical.ts'
import type { RequestLog } from './requests.ts'
import { type HttpAnswer, handleRequest } from './router.ts'
import type { State } from './state.ts'

const goBufferBytes = 2048

const operations: Readonly<Record<string, Operation>> = { GET: 'read', POST: 'update', PUT: 'update', DELETE: 'delete' }

/** TCP connections by the client's port: a TLS socket cannot be reset itself. */
export type Connections = ReadonlyMap<number, Socket>

export function createListener(
  state: State,
  faults: FaultControl,
  log: RequestLog,
  connections: Connections,
): RequestListener {
  return (incoming, response) => {
    respond(state, faults, log, connections, incoming, response).catch((error: unknown) => {
      // A bug of this server: seen by the client as a lost connection and by the developer here.
      process.stderr.write(`dev-vault: ${incoming.method} ${incoming.url}: ${String((error as Error).stack)}\n`)
      response.destroy()
    })
  }
}

async function respond(
  state: State,
  faults: FaultControl,
  log: RequestLog,
  connections: Connections,
  incoming: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(incoming.url ?? '/', 'https://vault')
  const path = decodeURIComponent(url.pathname).replace(/^\/v1\//, '')
  const isList = incoming.method === 'GET' && url.searchParams.get('list') === 'true'
  const method = isList ? 'LIST' : (incoming.method ?? '')
  const record = (status: number): (() => void) => log.add({ method, path, status, atMs: state.now() })
  const content = await readBody(incoming)
  if (content === undefined) return
  const fault = faults.take({ method, path })
  if (fault !== undefined) {
    if (takesOver(fault, connections.get(incoming.socket.remotePort ?? 0))) return record(0)()
    if (fault.latencyMs !== undefined) await delay(fault.latencyMs)
  }
  const made = fault === undefined ? undefined : replacement(fault)
  const answer = made ?? flatten(await answerTo(state, incoming, url, path, isList, content))
  const nowMs = state.now() + (fault?.dateOffsetSeconds ?? 0) * 1000
  // Go sends no Connection header, and chunks what is longer than its buffer.
  response.removeHeader('Connection')
  const length = Buffer.byteLength(answer.body)
  response.writeHead(answer.status, {
    'Cache-Control': 'no-store',
    Date: new Date(nowMs).toUTCString(),
    ...answer.headers,
    ...(answer.status === 204 || length > goBufferBytes ? {} : { 'Content-Length': String(length) }),
  })
  const announce = record(answer.status)
  await send(response, fault, answer.body)
  announce()
}

async function answerTo(
  state: State,
  incoming: IncomingMessage,
  url: URL,
  path: string,
  isList: boolean,
  content: string,
): Promise<HttpAnswer> {
  if (!url.pathname.startsWith('/v1/')) {
    return { status: 404, raw: { contentType: 'text/plain; charset=utf-8', body: '404 page not found\n' } }
  }
  const isHead = incoming.method === 'HEAD' && path === 'sys/health'
  const operation = isList ? 'list' : isHead ? 'read' : operations[incoming.method ?? '']
  if (operation === undefined) return { status: 405, json: { errors: [] } }
  try {
    const data = operation === 'update' ? parseBody(state, content) : queryOf(url)
    const request: LogicalRequest = {
      operation,
      path: isList && !path.endsWith('/') ? `${path}/` : path,
      data,
      clientToken: tokenOf(incoming),
      headers: incoming.headers,
      peerCertificate: peerCertificateOf(incoming),
    }
    return await handleRequest(state, request, incoming.socket.remoteAddress ?? '')
  } catch (error) {
    if (!(error instanceof VaultFailure)) throw error
    return { status: error.status, json: { errors: [error.message] } }
  }
}

/** POST ignores the query string. */
function queryOf(url: URL): Record<string, string> {
  return Object.fromEntries([...url.searchParams].filter(([name]) => name !== 'list'))
}

function parseBody({ flavour }: State, content: string): Record<string, unknown> {
  if (content.trim() === '') return {}
  try {
    const parsed = JSON.parse(content) as Record<string, unknown> | unknown[] | null
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed
    throw new SyntaxError('not an object')
  } catch {
    throw new VaultFailure(
      400,
      flavour === 'openbao' ? 'failed to decode JSON input: unexpected EOF' : 'error parsing JSON',
    )
  }
}

function tokenOf({ headers }: IncomingMessage): string {
  const token = headers['x-vault-token']
  if (typeof token === 'string' && token !== '') return token
  return headers.authorization?.startsWith('Bearer ') === true ? headers.authorization.slice('Bearer '.length) : ''
}

function peerCertificateOf(incoming: IncomingMessage): X509Certificate | undefined {
  // Null once the client has gone.
  const certificate = (incoming.socket as TLSSocket).getPeerCertificate() as { raw?: Buffer } | null
  return certificate?.raw === undefined ? undefined : new X509Certificate(certificate.raw)
}

/** Undefined when the client went away meanwhile. */
async function readBody(incoming: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = []
  try {
    for await (const chunk of incoming) chunks.push(chunk as Buffer)
  } catch {
    return undefined
  }
  return Buffer.concat(chunks).toString()
}

function flatten({ status, headers = {}, json, raw }: HttpAnswer): {
  status: number
  headers: Record<string, string>
  body: string | Buffer
} {
  if (raw !== undefined) return { status, headers: { ...headers, 'Content-Type': raw.contentType }, body: raw.body }
  if (json === undefined) return { status, headers: { ...headers, 'Content-Type': 'application/json' }, body: '' }
  return { status, headers: { ...headers, 'Content-Type': 'application/json' }, body: `${JSON.stringify(json)}\n` }
}
