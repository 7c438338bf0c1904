import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { describe, expect, test } from 'vitest'
import { reasons } from '../../../agent/core/reason-catalog.ts'
import {
  type Answering,
  answerBytes,
  answerJson,
  hang,
  resetConnection,
  startFaultServer,
} from '../../support/http-fault-server.ts'
import { canaries, failureOf, serve, transportTo } from './transport-rig.ts'

const ok = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n'
const partOfBody = `${ok}content-length: 100\r\n\r\n{"data":`
const mebibyte = 1024 * 1024

/** The rest of a body that never comes to its end, byte by byte. */
const dripping: Answering = ({ response, socket }) => {
  response.writeHead(200, { 'content-type': 'application/json' })
  const timer = setInterval(() => response.write(' '), 5)
  socket.once('close', () => clearInterval(timer))
}

const inTwoParts =
  (bytes: number, status = 200): Answering =>
  ({ response }) => {
    response.writeHead(status, { 'content-type': 'application/json' })
    response.write(' '.repeat(bytes / 2))
    response.end(' '.repeat(bytes / 2))
  }

describe('a deadline for the whole answer', () => {
  test.each<[string, Answering]>([
    ['before the headers', hang],
    ['in the body', answerBytes(partOfBody)],
    ['in the headers', answerBytes('HTTP/1.1 200 OK\r\ncontent-type: appl')],
    ['one byte at a time', dripping],
  ])('hangs %s', async (_where, answering) => {
    const server = await serve(answering)
    const error = await failureOf(transportTo(server.origin, { timeoutMs: 150 }))
    expect(error.code).toBe('vault-timeout')
    expect(error.message).toBe(`POST ${server.origin}/v1/pki/sign/calico-node: no complete answer within 150 ms`)
    await server.idle()
  })

  test('hangs in the TLS handshake', async () => {
    const silent = createServer((socket) => socket.on('error', () => {}).resume()).listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const { port } = silent.address() as AddressInfo
    const error = await failureOf(transportTo(`https://127.0.0.1:${port}`, { timeoutMs: 150 }))
    expect(error.code).toBe('vault-timeout')
    silent.close()
    await once(silent, 'close')
  })
})

describe('connections that fail', () => {
  const cases: [string, Answering, string, RegExp][] = [
    ['closed without an answer', ({ socket }) => socket.end(), 'vault-connection-lost', /closed/],
    ['reset without an answer', ({ socket }) => resetConnection(socket), 'vault-connection-lost', /ECONNRESET/],
    ['reset in the headers', answerBytes('HTTP/1.1 200 OK\r\ncont', 'reset'), 'vault-connection-lost', /ECONNRESET/],
    ['reset in the body', answerBytes(partOfBody, 'reset'), 'vault-connection-lost', /ECONNRESET/],
    ['body cut short', answerBytes(partOfBody, 'end'), 'vault-connection-lost', /closed/],
    [
      'chunked body cut short',
      answerBytes(`${ok}transfer-encoding: chunked\r\n\r\n8\r\n{"data":\r\n`, 'end'),
      'vault-connection-lost',
      /closed/,
    ],
    ...['000', '099', '101'].map((status): [string, Answering, string, RegExp] => [
      `the status ${status}`,
      answerBytes(`HTTP/1.1 ${status} X\r\ncontent-length: 2\r\n\r\n{}`),
      'vault-bad-answer',
      /not HTTP\/1\.1/,
    ]),
    ['another protocol', answerBytes(`SSH-2.0-${canaries.token}\r\n`), 'vault-bad-answer', /not HTTP\/1\.1/],
    [
      'a length that is none',
      answerBytes(`${ok}content-length: ${canaries.token}\r\n\r\n`),
      'vault-bad-answer',
      /not HTTP/,
    ],
    [
      'headers over their limit',
      answerBytes(`${ok}x-${canaries.token}: ${'y'.repeat(20_000)}\r\n\r\n`),
      'vault-bad-answer',
      /[Hh]eaders/,
    ],
    [
      'upgrade that nobody asked for',
      answerBytes('HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'),
      'vault-connection-lost',
      /upgrade/,
    ],
    [
      'text that is no JSON',
      answerBytes(`${ok}content-length: 24\r\n\r\n${canaries.token}`),
      'vault-bad-answer',
      /JSON/,
    ],
    ['JSON that ends early', answerBytes(`${ok}content-length: 8\r\n\r\n{"data":`), 'vault-bad-answer', /not JSON/],
    [
      'too much, said before',
      answerBytes(`${ok}content-length: ${mebibyte + 1}\r\n\r\n${' '.repeat(mebibyte + 1)}`),
      'vault-answer-too-large',
      /max size/,
    ],
    ['too much, said by nobody', inTwoParts(mebibyte + 2), 'vault-answer-too-large', /max size/],
    ['a refusal of too many words', inTwoParts(mebibyte + 2, 500), 'vault-answer-too-large', /max size/],
  ]
  test.each(cases)('%s', async (_name, answering, code, text) => {
    const server = await serve(answering)
    const error = await failureOf(transportTo(server.origin))
    expect(error.code).toBe(code)
    expect(error.message).toMatch(text)
    expect(error.message.startsWith(`POST ${server.origin}/v1/pki/sign/calico-node: `)).toBe(true)
    expect(error.message).not.toContain('\n')
    expect(error.retry).toBe(reasons[error.code].retry)
    await server.idle()
  })

  test('an answer of exactly 1 MiB is read', async () => {
    const server = await serve(inTwoParts(mebibyte))
    await expect(transportTo(server.origin).transport.request(requestOf())).resolves.toMatchObject({ status: 200 })
  })

  test('nobody listens', async () => {
    const gone = await startFaultServer(hang)
    await gone.close()
    const error = await failureOf(transportTo(gone.origin))
    expect(error.code).toBe('vault-unreachable')
    expect(error.message).toContain(`ECONNREFUSED 127.0.0.1:${gone.port}`)
  })

  test('nobody listens on any address of the name', async () => {
    const gone = await startFaultServer(hang)
    await gone.close()
    const error = await failureOf(transportTo(`http://localhost:${gone.port}`))
    expect(error.code).toBe('vault-unreachable')
    expect(error.message).toContain('ECONNREFUSED')
  })

  test('the name does not resolve', async () => {
    const error = await failureOf(transportTo('https://vault.calico-vault-agent.invalid:8200'))
    expect(error.code).toBe('vault-name-unresolved')
    expect(error.message).toContain('vault.calico-vault-agent.invalid')
  })

  test('the agent stops in the middle of a request, and before the next one', async () => {
    const server = await serve(hang)
    const rig = transportTo(server.origin)
    server.answerWith(() => rig.transport.destroy())
    expect((await failureOf(rig)).code).toBe('vault-connection-lost')
    rig.events.length = 0
    const late = await failureOf(rig)
    expect(late.message).toContain('the agent is stopping')
    expect(server.connections()).toBe(1)
  })
})

test('a failed request leaves the transport usable', async () => {
  const server = await serve(answerBytes(partOfBody, 'reset'))
  const rig = transportTo(server.origin)
  const release = rig.transport.hold()
  expect((await failureOf(rig)).code).toBe('vault-connection-lost')
  server.answerWith(answerJson({ data: 1 }))
  await expect(rig.transport.request(requestOf())).resolves.toMatchObject({ body: { data: 1 } })
  release()
  await server.idle()
})

function requestOf() {
  return {
    operation: 'issuers',
    method: 'GET',
    path: '/v1/pki/issuers?list=true',
    headers: {},
    json: undefined,
  } as const
}
