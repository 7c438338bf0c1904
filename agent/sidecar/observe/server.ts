/** Owns the HTTP server: GET of the metrics, the probes and the status, nothing else; small limits, so that nobody can wear the agent out. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Clock } from '../../core/clock.ts'
import { messageOf } from '../../core/errors.ts'
import { createLoop } from '../../core/retry-loop.ts'
import { containerHeader } from './container.ts'
import type { Listener } from './events.ts'
import { type Health, probes } from './health.ts'
import type { Metrics } from './metrics.ts'

export interface ObserveServerOptions {
  readonly listen: { readonly host: string; readonly port: number }
  readonly health: Health
  readonly metrics: Pick<Metrics, 'expose'>
  readonly clock: Clock
  readonly emit: Listener
  /** Said with every answer: whose it is. */
  readonly container: string | undefined
  /** The status page and its data, if there are some. */
  readonly status?: (path: StatusPath) => Promise<StatusAnswer>
}

export type StatusPath = '/' | '/status'

export interface StatusAnswer {
  readonly contentType: string
  readonly text: string
  readonly headers: Readonly<Record<string, string>>
}

export interface ObserveServer {
  /** The bound port, once it listens; it may never. */
  readonly port: Promise<number>
  close(): void
}

/** The agent of the pod before may still have the port: what waits for this one's start waits for the port as well. */
const listenAgainMs = 250
/** Of the failures in a row, so many make one event: the first, and then one every five seconds. */
const failuresAnEvent = 20

/** Prometheus and the kubelet need two. */
const maxConnections = 64

/** Nobody who scrapes or probes asks before the last answer has come: an answer to each of a packet full of requests would fill the memory. */
const maxRequestsPerSocket = 8

export function startObserveServer(options: ObserveServerOptions): ObserveServer {
  const closing = new AbortController()
  const server = createServer(
    {
      maxHeaderSize: 8192,
      headersTimeout: 5000,
      requestTimeout: 10_000,
      keepAliveTimeout: 5000,
      connectionsCheckingInterval: 5000,
    },
    (request, response) => {
      answer(request, response, options).catch((error: unknown) => {
        if (!response.headersSent) response.writeHead(500, { 'content-type': 'text/plain' })
        response.end(`${messageOf(error)}\n`)
      })
    },
  )
  server.maxRequestsPerSocket = maxRequestsPerSocket
  dropOldest(server)
  const port = listenUntilBound(server, options, closing.signal)
  return {
    port,
    close: () => {
      closing.abort()
      server.close()
      server.closeAllConnections()
    },
  }
}

/** A newcomer replaces the connection that was used longest ago: however many idle ones there are, a probe gets through. */
function dropOldest(server: Server): void {
  const open = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    const [oldest] = open
    if (oldest !== undefined && open.size >= maxConnections) {
      open.delete(oldest)
      oldest.destroy()
    }
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  })
  server.on('request', ({ socket }: IncomingMessage) => {
    if (open.delete(socket)) open.add(socket)
  })
}

function listenUntilBound(
  server: Server,
  { listen: { host, port }, clock, emit }: ObserveServerOptions,
  closing: AbortSignal,
): Promise<number> {
  let failures = 0
  // An error of a single connection leaves the server listening.
  server.on('error', (error) => {
    if (failures++ % failuresAnEvent === 0) emit({ type: 'listen-failed', detail: error.message })
  })
  return new Promise((resolve) => {
    const step = async (): Promise<number | undefined> => {
      server.listen(port, host)
      const isListening = await once(server, 'listening').then(
        () => true,
        () => false,
      )
      if (!isListening) return listenAgainMs
      // A server of ours listens on TCP, never on a pipe.
      const bound = server.address() as AddressInfo
      const name = bound.family === 'IPv6' ? `[${bound.address}]` : bound.address
      emit({ type: 'listening', address: `${name}:${bound.port}` })
      resolve(bound.port)
      return undefined
    }
    void createLoop(clock, step).run(closing)
  })
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { health, metrics, status, container }: ObserveServerOptions,
): Promise<void> {
  const whose = container === undefined ? {} : { [containerHeader]: container }
  const path = (request.url ?? '').split('?', 1)[0] ?? ''
  const send = (code: number, contentType: string, text: string, headers: Readonly<Record<string, string>> = {}) => {
    response.writeHead(code, { 'content-type': contentType, 'cache-control': 'no-store', ...whose, ...headers })
    response.end(request.method === 'HEAD' ? undefined : text)
  }
  const probe = probes.find((each) => path === `/${each}`)
  const isStatus = status !== undefined && (path === '/' || path === '/status')
  if (path !== '/metrics' && probe === undefined && !isStatus) return send(404, 'text/plain', 'not found\n')
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return send(405, 'text/plain', 'only GET\n', { allow: 'GET, HEAD', connection: 'close' })
  }
  if (probe !== undefined) {
    const { ok, body } = health.probe(probe)
    return send(ok ? 200 : 503, 'application/json', `${JSON.stringify(body)}\n`)
  }
  if (isStatus) {
    const { contentType, text, headers } = await status(path)
    return send(200, contentType, text, headers)
  }
  const { contentType, text } = await metrics.expose(request.headers.accept ?? '')
  send(200, contentType, text)
}
