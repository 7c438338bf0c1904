/**
 * Owns a real HTTP or HTTPS server on a free port that answers as badly as a test wants. Promises to keep every request that it
 * received, to count connections and to tell when they have ended.
 */
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer, type ServerOptions } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'

export interface ReceivedRequest {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

export interface Exchange extends ReceivedRequest {
  /** For answers that are HTTP. */
  readonly response: ServerResponse
  /** For bytes that are not. */
  readonly socket: Socket
  /** From 0, over all connections. */
  readonly index: number
}

export type Answering = (exchange: Exchange) => void

export interface FaultServer {
  readonly port: number
  /** `https://127.0.0.1:<port>`, or http. */
  readonly origin: string
  readonly requests: readonly ReceivedRequest[]
  /** TCP connections so far. */
  connections(): number
  /** Resolves when no connection is open any more. */
  idle(): Promise<void>
  answerWith(answering: Answering): void
  close(): Promise<void>
}

export interface FaultServerOptions {
  /** Absent: plain HTTP. */
  readonly tls?: ServerOptions
  /** Called with each TCP connection before anything is read from it. */
  readonly onConnection?: (socket: Socket) => void
  readonly port?: number
}

export async function startFaultServer(first: Answering, options: FaultServerOptions = {}): Promise<FaultServer> {
  const { tls, onConnection } = options
  const requests: ReceivedRequest[] = []
  const open = new Set<Socket>()
  let answering = first
  let connections = 0
  let ended: (() => void)[] = []
  const server: Server = tls === undefined ? createServer() : createTlsServer(tls)
  server.on('request', async (request, response: ServerResponse) => {
    let body = ''
    try {
      for await (const chunk of request) body += String(chunk)
    } catch {
      return // The client has gone.
    }
    const received = { method: request.method ?? '', path: request.url ?? '', headers: request.headers, body }
    requests.push(received)
    answering({ ...received, response, socket: request.socket, index: requests.length - 1 })
  })
  server.on('connection', (socket: Socket) => {
    connections++
    open.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => {
      open.delete(socket)
      if (open.size > 0) return
      for (const resolve of ended) resolve()
      ended = []
    })
    onConnection?.(socket)
  })
  server.on('tlsClientError', () => {})
  server.listen(options.port ?? 0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    port,
    origin: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    requests,
    connections: () => connections,
    idle: () => new Promise((resolve) => (open.size === 0 ? resolve() : ended.push(resolve))),
    answerWith: (next) => {
      answering = next
    },
    close: async () => {
      for (const socket of open) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

/** A JSON answer as Vault gives it. */
export function answerJson(
  body: unknown,
  status = 200,
  headers: Readonly<Record<string, string>> = {},
): (exchange: Pick<Exchange, 'response'>) => void {
  return ({ response }) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    response.end(body === undefined ? undefined : JSON.stringify(body))
  }
}

/** Exactly these bytes; the connection stays open unless `end`. */
export function answerBytes(bytes: string, end: 'open' | 'end' | 'reset' = 'open'): Answering {
  return ({ socket }) => {
    socket.write(bytes, () => {
      if (end === 'end') socket.end()
      if (end === 'reset') resetConnection(socket)
    })
  }
}

/** No answer at all. */
export const hang: Answering = () => {}

/** TCP RST: of a TLS connection, the TCP connection below it. */
export function resetConnection(socket: Socket): void {
  const { _parent: below } = socket as Socket & { _parent?: Socket }
  ;(below ?? socket).resetAndDestroy()
}
