/** Proves what the probe makes of everything that is no etcd, or cannot be reached: an answer, in its time, that decides nothing. */
import { createSecureServer } from 'node:http2'
import { createServer as createHttpsServer } from 'node:https'
import { createServer, type Server } from 'node:net'
import { beforeAll, expect, it } from 'vitest'
import { askEtcd } from '../../../agent/sidecar/gate/probe/probe.ts'
import { createCa } from '../../support/certificates.ts'
import { freePort } from '../../support/child-server.ts'
import { type Asker, ask, blackHole, listen } from './places.ts'

const user = 'calico-node:node1'
let tls: { cert: string; key: string }
let asker: Asker
beforeAll(async () => {
  const ca = await createCa()
  const server = await ca.issue({ server: true, ipAddresses: ['127.0.0.1'] })
  const client = await ca.issue({ commonName: user })
  tls = { cert: server.certificatePem, key: server.privateKeyPem }
  asker = { cert: client.certificatePem, key: client.privateKeyPem, ca: ca.certificatePem }
})

it.each<[string, () => string | Promise<string>, RegExp]>([
  ['a port that nobody listens on', async () => `https://127.0.0.1:${await freePort()}`, /ECONNREFUSED/],
  ['a host that does not exist', () => 'https://no-such-host.invalid:2379', /no-such-host\.invalid/],
])('%s: not heard', async (_, makeEndpoint, detail) => {
  const endpoint = await makeEndpoint()
  expect(await ask([endpoint], asker, user)).toEqual({ code: 'etcd-unheard', detail: expect.stringMatching(detail) })
})

it('a black hole: not heard, when the time is over', async () => {
  const endpoint = await blackHole()
  const detail = `${endpoint}: no answer within 100 ms`
  expect(await ask([endpoint], asker, user, 100)).toEqual({ code: 'etcd-unheard', detail })
})

it('TLS that accepts and then stays silent: the same', async () => {
  const endpoint = await listen(createSecureServer(tls))
  const detail = `${endpoint}: no answer within 400 ms`
  expect(await ask([endpoint], asker, user, 400)).toEqual({ code: 'etcd-unheard', detail })
})

const grpc = { 'content-type': 'application/grpc' }

const others: readonly (readonly [string, () => Server, RegExp])[] = [
  ['no TLS', () => createServer((socket) => socket.end('hello\n')), /ERR_SSL_|EPROTO/],
  ['HTTPS without HTTP/2', () => createHttpsServer(tls, (_, response) => response.end('hello')), /HTTP\/2|PROTOCOL/],
  [
    'HTTP/2 without gRPC',
    () => createSecureServer(tls, (_, response) => response.writeHead(404).end('not found')),
    /: HTTP 404 instead of gRPC$/,
  ],
  [
    'gRPC without a status',
    () => createSecureServer(tls, (_, response) => response.writeHead(200, grpc).end()),
    /: an answer without a gRPC status$/,
  ],
  [
    'gRPC with an empty status',
    () => createSecureServer(tls, (_, response) => response.writeHead(200, { ...grpc, 'grpc-status': '' }).end()),
    /: an answer without a gRPC status$/,
  ],
  [
    'an answer without end',
    () => createSecureServer(tls, (_, response) => response.writeHead(200, grpc).write(Buffer.alloc(100_000))),
    /: an answer of more than 65536 bytes$/,
  ],
  [
    'another gRPC service',
    () =>
      createSecureServer(tls, (_, response) => {
        response.writeHead(200, { ...grpc, 'grpc-status': 12, 'grpc-message': 'a%0Ab' }).end()
      }),
    /: a b \(gRPC 12\)$/,
  ],
  ['a connection that ends after the handshake', closeAfterHandshake, /: the connection was closed/],
  ['a malformed message', denyThenMislead, /: a field is longer than its message$/],
]

it.each(others)('%s: a bad answer', async (_, makeServer, detail) => {
  const endpoint = await listen(makeServer())
  expect(await ask([endpoint], asker, user)).toEqual({ code: 'etcd-bad-answer', detail: expect.stringMatching(detail) })
})

it('names that somebody gave to roles make no line and no color of their own', async () => {
  const endpoint = await listen(nameRole('a\n\u001b[31mb'))
  expect(await ask([endpoint], asker, user)).toEqual({
    code: 'etcd-permission-denied',
    detail: `${endpoint}: ${user} has a [31mb without any grant`,
  })
})

it('a stop ends the question at once', async () => {
  const endpoint = await blackHole()
  const stop = new AbortController()
  const identity = { certificate: asker.cert, key: asker.key, ca: asker.ca }
  const found = askEtcd({ endpoints: [endpoint], identity, user, timeoutMs: 60_000, stop: stop.signal })
  stop.abort()
  expect(await found).toEqual({ code: 'etcd-unheard', detail: `${endpoint}: the agent is stopping` })
})

function closeAfterHandshake(): Server {
  const server = createSecureServer(tls)
  server.on('secureConnection', (socket) => socket.destroy())
  return server
}

/** Denies the read, and answers the question about the user with a message that is cut off. */
function denyThenMislead(): Server {
  return createSecureServer(tls, (request, response) => {
    const isRead = request.url.endsWith('/Range')
    response.writeHead(200, grpc)
    response.addTrailers({ 'grpc-status': isRead ? '7' : '0' })
    response.end(isRead ? Buffer.alloc(5) : Buffer.from([0, 0, 0, 0, 2, 0x12, 0x7f]))
  })
}

/** Denies the read, and answers that the user has the role; the role has no grant. */
function nameRole(role: string): Server {
  return createSecureServer(tls, ({ url }, response) => {
    response.writeHead(200, grpc)
    response.addTrailers({ 'grpc-status': url.endsWith('/Range') ? '7' : '0' })
    const message = url.endsWith('/UserGet') ? Buffer.concat([Buffer.from([0x12, role.length]), Buffer.from(role)]) : []
    const head = Buffer.alloc(5)
    head.writeUInt32BE(message.length, 1)
    response.end(Buffer.concat([head, Buffer.from(message)]))
  })
}
