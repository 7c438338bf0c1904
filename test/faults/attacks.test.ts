/**
 * A running agent under attack, through its HTTP server and by a neighbor that may write into its volume: whatever is done to it,
 * the rotation goes on, a probe gets through, and the token stays with it.
 */
import { execFileSync } from 'node:child_process'
import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync } from 'node:fs'
import { request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { dirname, join } from 'node:path'
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

describe('a neighbor that may write into the volume', () => {
  withLab(startDevVault, {}, (lab) => {
    const attacks: readonly (readonly [string, (directory: string, tokenFile: string) => void])[] = [
      [
        'etcd-ca becomes a link to the token, and ..data is removed',
        (directory, tokenFile) => {
          for (const name of ['..data', 'etcd-ca']) rmSync(join(directory, name))
          symlinkSync(tokenFile, join(directory, 'etcd-ca'))
        },
      ],
      [
        'all names become links to the token',
        (directory, tokenFile) => {
          for (const name of ['..data', 'etcd-ca', 'etcd-cert', 'etcd-key', '..issued']) {
            rmSync(join(directory, name), { force: true })
            symlinkSync(tokenFile, join(directory, name))
          }
        },
      ],
      [
        "..data becomes a link to the token's directory",
        (directory, tokenFile) => {
          rmSync(join(directory, '..data'))
          symlinkSync(dirname(tokenFile), join(directory, '..data'))
        },
      ],
      [
        'the generation becomes a link to a directory with links to the token',
        (directory, tokenFile) => {
          const generation = join(directory, readlinkSync(join(directory, '..data')))
          rmSync(generation, { recursive: true })
          mkdirSync(join(directory, 'bait'))
          for (const name of ['etcd-ca', 'etcd-cert', 'etcd-key']) symlinkSync(tokenFile, join(directory, 'bait', name))
          symlinkSync('bait', generation)
        },
      ],
      [
        'pipes stand under every name that the agent makes and removes',
        (directory) => {
          for (const name of ['..data_tmp', '..issued_tmp', '..lock_x', '..2026_01_01_00_00_00.000_0'])
            execFileSync('mkfifo', [join(directory, name)])
        },
      ],
    ]

    test.each(attacks)(
      '%s: the agent publishes on, and never copies the token or opens it to others',
      async (_what, attack) => {
        const { agent, directory, tokenFile } = await start(lab())
        chmodSync(tokenFile, 0o600)
        const token = readFileSync(tokenFile, 'utf8')
        attack(directory, tokenFile)
        agent.signal('SIGHUP')
        // What was known may be put back first; then comes what was asked for.
        await agent.nextLine(({ event, reason }) => event === 'published' && reason === 'renewal-requested')
        const { ca, cert } = readPublished(directory)
        expect([ca, cert].every((text) => text.startsWith('-----BEGIN CERTIFICATE'))).toBe(true)
        expect(filesBelow(directory).filter((file) => readFileSync(file, 'utf8').includes(token))).toEqual([])
        expect(lstatSync(tokenFile).mode & 0o777).toBe(0o600)
        expect(agent.output()).not.toContain(token)
        expect((await agent.ask('/readyz')).status).toBe(200)
      },
    )
  })
})

/** Regular files; what a link leads to is not below. */
function filesBelow(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((each) => each.isFile())
    .map((each) => join(each.parentPath, each.name))
}

async function start(lab: Lab): Promise<{ agent: AgentProcess; directory: string; tokenFile: string; port: number }> {
  const { environment, directory, tokenFile } = createTestNode(lab)
  const agent = spawnAgent(environment)
  // Which of both comes first depends on how soon Vault answers.
  await agent.ask('/livez')
  await agent.nextLine(({ event }) => event === 'published')
  const address = agent.lines.find(({ event }) => event === 'listening')?.['address']
  return { agent, directory, tokenFile, port: Number(String(address).split(':').at(-1)) }
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
