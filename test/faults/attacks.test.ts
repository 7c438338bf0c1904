/** The HTTP server of a running agent under attack: whatever is done to it, the rotation goes on, and a probe gets through. */
import { request } from 'node:http'
import { connect, type Socket } from 'node:net'
import * as fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createTestNode, type Lab, withLab } from '../integration/agent/lab.ts'
import { readPublished } from '../integration/agent/published.ts'
import { type AgentProcess, spawnAgent } from '../support/agent-process.ts'
import { startDevVault } from '../support/dev-vault/dev-vault.ts'

const documented = ['/', '/status', '/metrics', '/startupz', '/livez', '/readyz']

describe('the HTTP server', () => {
  withLab(startDevVault, {}, (lab) => {
    test('a thousand idle connections', async () => {
      const { agent, directory, port } = await start(lab())
      await openAll(port, 1000, () => {})
      await goesOn(agent, directory)
    })

    test('slow-loris: two hundred requests that never end', async () => {
      const { agent, directory, port } = await start(lab())
      const sockets = await openAll(port, 200, (socket) => socket.write('GET /metrics HTTP/1.1\r\nhost: a\r\n'))
      for (const socket of sockets) socket.write('x: y\r\n')
      await goesOn(agent, directory)
    })

    test('headers that are too large, bodies without an end, garbage', async () => {
      const { agent, directory, port } = await start(lab())
      const attacks = [
        `GET /metrics HTTP/1.1\r\nx: ${'a'.repeat(200_000)}\r\n\r\n`,
        `GET /${'a'.repeat(200_000)} HTTP/1.1\r\n\r\n`,
        `POST /metrics HTTP/1.1\r\nhost: a\r\ncontent-length: 999999999\r\n\r\n${'b'.repeat(100_000)}`,
        `POST /readyz HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nffffffff\r\n`,
        `GET /metrics HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\n\r\n`,
        '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
        'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
        '\0'.repeat(100_000),
      ]
      for (const attack of attacks) await openAll(port, 20, (socket) => socket.write(attack))
      await goesOn(agent, directory)
    })

    test('any path and any method: only GET and HEAD of the documented paths are served', async () => {
      const { agent, directory, port } = await start(lab())
      const methods = fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE')
      const near = fc.constantFrom(
        '/metrics/',
        '//metrics',
        '/metrics/..',
        '/readyz%00',
        '/constructor',
        '/__proto__',
        '/status/',
      )
      const paths = fc.oneof(
        fc.constantFrom(...documented),
        near,
        fc.webPath().map((path) => `/${path}`),
        fc.webQueryParameters().map((query) => `/metrics?${query}`),
      )
      await fc.assert(
        fc.asyncProperty(methods, paths, async (method, path) => {
          const isServed = documented.includes(path.split('?', 1)[0] ?? '')
          const isRead = method === 'GET' || method === 'HEAD'
          expect(await statusOf(port, method, path)).toBe(isServed ? (isRead ? 200 : 405) : 404)
        }),
        { numRuns: 300 },
      )
      await goesOn(agent, directory)
    })
  })
})

async function start(lab: Lab): Promise<{ agent: AgentProcess; directory: string; port: number }> {
  const { environment, directory } = createTestNode(lab)
  const agent = spawnAgent(environment, { bundle: true })
  await agent.nextLine(({ event }) => event === 'published')
  const { address } = await agent.nextLine(({ event }) => event === 'listening')
  return { agent, directory, port: Number(String(address).split(':').at(-1)) }
}

/** A renewal that is asked for now is published, and the probes answer. */
async function goesOn(agent: AgentProcess, directory: string): Promise<void> {
  const before = readPublished(directory).cert
  agent.signal('SIGHUP')
  await agent.nextLine(({ event }) => event === 'published')
  expect(readPublished(directory).cert).not.toBe(before)
  for (const path of documented) expect((await agent.ask(path)).status).toBe(200)
}

async function openAll(port: number, count: number, use: (socket: Socket) => void): Promise<Socket[]> {
  const sockets = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<Socket>((resolve) => {
          const socket = connect(port, '127.0.0.1', () => resolve(socket))
          // To be cut off is what an attacker has to expect.
          socket.on('error', () => resolve(socket))
        }),
    ),
  )
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
  })
  for (const socket of sockets) use(socket)
  return sockets
}

function statusOf(port: number, method: string, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, method, path, agent: false }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0))
    })
    sent.on('error', reject)
    sent.end()
  })
}
