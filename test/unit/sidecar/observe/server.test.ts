import { once } from 'node:events'
import { get, request } from 'node:http'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { AgentEvent } from '../../../../agent/sidecar/observe/events.ts'
import type { Probe } from '../../../../agent/sidecar/observe/health.ts'
import { type ObserveServer, startObserveServer } from '../../../../agent/sidecar/observe/server.ts'
import { createFakeClock, type FakeClock } from '../../../support/fake-clock.ts'

interface Rig {
  readonly server: ObserveServer
  readonly clock: FakeClock
  readonly events: AgentEvent[]
  readonly ok: Set<Probe>
  readonly exposed: string[]
  readonly metrics: { failure: Error | undefined }
}

function start(port = 0, host = '127.0.0.1'): Rig {
  const clock = createFakeClock()
  const events: AgentEvent[] = []
  const ok = new Set<Probe>()
  const exposed: string[] = []
  const metrics: Rig['metrics'] = { failure: undefined }
  const server = startObserveServer({
    listen: { host, port },
    clock,
    emit: (event) => events.push(event),
    container: 'mnt:[1]',
    health: { probe: (name) => ({ ok: ok.has(name), body: { probe: name } }) },
    metrics: {
      expose: (accept) => {
        exposed.push(accept)
        if (metrics.failure !== undefined) return Promise.reject(metrics.failure)
        return Promise.resolve({ contentType: 'text/plain; version=0.0.4', text: 'up 1\n' })
      },
    },
    status: (path) => Promise.resolve({ contentType: 'text/x-status', text: path, headers: { 'x-of': 'status' } }),
  })
  onTestFinished(() => server.close())
  return { server, clock, events, ok, exposed, metrics }
}

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly text: string
}

async function ask(rig: Rig, path: string, method = 'GET', headers = {}): Promise<Answer> {
  const port = await rig.server.port
  const sent = request({ host: '127.0.0.1', port, path, method, headers, agent: false }).end()
  const [response] = await once(sent, 'response')
  let text = ''
  for await (const chunk of response) text += String(chunk)
  return { status: response.statusCode, headers: response.headers, text }
}

async function open(port: number, first = ''): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  onTestFinished(() => void socket.destroy())
  await once(socket, 'connect')
  if (first !== '') socket.write(first)
  return socket
}

describe('what is served', () => {
  test.each(['/', '/status', '/?now'])('%s: the status, with its headers', async (path) => {
    const answer = await ask(start(), path)
    expect(answer).toMatchObject({ status: 200, text: path.split('?', 1)[0], headers: { 'x-of': 'status' } })
    expect(answer.headers['cache-control']).toBe('no-store')
    expect((await ask(start(), path, 'POST')).status).toBe(405)
  })

  test.each<[string, Probe]>([
    ['/startupz', 'startupz'],
    ['/livez', 'livez'],
    ['/readyz?verbose', 'readyz'],
  ])('%s: 503 and 200 with a JSON body', async (path, probe) => {
    const rig = start()
    const bad = await ask(rig, path)
    expect([bad.status, JSON.parse(bad.text)]).toEqual([503, { probe }])
    rig.ok.add(probe)
    const good = await ask(rig, path)
    expect([good.status, good.text]).toEqual([200, `{"probe":"${probe}"}\n`])
    expect(good.headers).toMatchObject({ 'content-type': 'application/json', 'cache-control': 'no-store' })
  })

  test('/metrics, in the format that was asked for', async () => {
    const rig = start()
    const { status, headers, text } = await ask(rig, '/metrics', 'GET', { accept: 'application/openmetrics-text' })
    expect([status, text, headers['content-type']]).toEqual([200, 'up 1\n', 'text/plain; version=0.0.4'])
    await ask(rig, '/metrics')
    expect(rig.exposed).toEqual(['application/openmetrics-text', ''])
  })

  test('/metrics that fails is a 500, and the next one is served', async () => {
    const rig = start()
    rig.metrics.failure = new Error('collect failed')
    expect(await ask(rig, '/metrics')).toMatchObject({ status: 500, text: 'collect failed\n' })
    rig.metrics.failure = undefined
    expect((await ask(rig, '/metrics')).status).toBe(200)
  })

  test('HEAD is GET without a body', async () => {
    const rig = start()
    expect(await ask(rig, '/metrics', 'HEAD')).toMatchObject({ status: 200, text: '' })
    expect(await ask(rig, '/readyz', 'HEAD')).toMatchObject({ status: 503, text: '' })
  })

  test.each(['/metrics/', '/Metrics', '//livez', '/livez/../metrics', '/constructor', '/__proto__', '/toString'])(
    '%s is not there',
    async (path) => {
      expect(await ask(start(), path)).toMatchObject({ status: 404, text: 'not found\n' })
    },
  )

  test.each(['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'])('%s is not allowed', async (method) => {
    const rig = start()
    const { status, headers } = await ask(rig, '/livez', method)
    expect([status, headers['allow']]).toEqual([405, 'GET, HEAD'])
    expect((await ask(rig, '/nowhere', method)).status).toBe(404)
  })
})

describe('bad clients', () => {
  test('garbage and headers without end are refused', async () => {
    const rig = start()
    const port = await rig.server.port
    for (const bytes of [
      '\u0016\u0003\u0001garbage\r\n\r\n',
      `GET /livez HTTP/1.1\r\nx: ${'y'.repeat(10_000)}\r\n\r\n`,
    ]) {
      const socket = await open(port, bytes)
      const [answer] = await once(socket, 'data')
      expect(String(answer)).toMatch(/^HTTP\/1\.1 4\d\d /)
    }
  })

  test.each([
    ['say nothing', ''],
    ['never end their headers', 'GET /livez HTTP/1.1\r\nhost: x\r\nx'],
    ['never end their body', 'POST /livez HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\nx'],
  ])('two hundred that %s do not keep a probe out', async (_name, first) => {
    const rig = start()
    rig.ok.add('livez')
    const port = await rig.server.port
    let closed = 0
    const sockets = await Promise.all(Array.from({ length: 200 }, () => open(port, first)))
    for (const socket of sockets) socket.on('close', () => closed++).resume()
    expect((await ask(rig, '/livez')).status).toBe(200)
    // The oldest had to go, and only as many as stand in the way.
    const firstClosed = sockets[0]?.destroyed === true ? Promise.resolve() : once(sockets[0] as Socket, 'close')
    await firstClosed
    expect(closed).toBeGreaterThan(0)
  })

  test('a thousand questions in one packet get no thousand answers', async () => {
    const rig = start()
    const socket = await open(await rig.server.port, 'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(1000))
    socket.resume()
    await once(socket, 'close')
    expect(rig.exposed).toHaveLength(8)
  })

  test('a connection that is in use outlives idle ones that came after it', async () => {
    const rig = start()
    const port = await rig.server.port
    const used = await open(port)
    for (let count = 0; count < 130; count++) {
      await open(port)
      if (count % 20 > 0) continue
      used.write('GET /livez HTTP/1.1\r\nhost: x\r\n\r\n')
      const [answer] = await once(used, 'data')
      expect(String(answer)).toMatch(/^HTTP\/1\.1 503 /)
    }
  })
})

test.each(['/startupz', '/metrics', '/', '/nowhere'])('%s says whose answer it is', async (path) => {
  const { headers } = await ask(start(), path)
  expect(headers['agent-container']).toBe('mnt:[1]')
})

describe('the port', () => {
  test('is told, with its address', async () => {
    const rig = start()
    expect(rig.events).toEqual([])
    const port = await rig.server.port
    expect(rig.events).toEqual([{ type: 'listening', address: `127.0.0.1:${port}` }])
  })

  test('of IPv6 is told in brackets', async () => {
    const rig = start(0, '::1')
    const port = await rig.server.port
    expect(rig.events).toEqual([{ type: 'listening', address: `[::1]:${port}` }])
  })

  async function occupied(): Promise<{ port: number; release: () => Promise<unknown> }> {
    const holder = createServer().listen(0, '127.0.0.1')
    await once(holder, 'listening')
    const { port } = holder.address() as AddressInfo
    return { port, release: () => once(holder.close(), 'close') }
  }

  test('that is in use is told and tried again until it is free', async () => {
    const { port, release } = await occupied()
    const rig = start(port)
    // What waits for the start waits for the port: four times a second, and told once in five seconds.
    for (let tries = 0; tries < 21; tries++) {
      expect(await rig.clock.nextSleep()).toBe(250)
      expect(rig.events).toHaveLength(tries < 20 ? 1 : 2)
      expect(rig.events.at(-1)).toMatchObject({ type: 'listen-failed', detail: expect.stringContaining('EADDRINUSE') })
      rig.clock.advance(250)
    }
    await rig.clock.nextSleep()
    await release()
    rig.clock.advance(250)
    expect(await rig.server.port).toBe(port)
    expect(rig.events.at(-1)).toEqual({ type: 'listening', address: `127.0.0.1:${port}` })
  })

  test('that is in use is not tried again after the end', async () => {
    const { port, release } = await occupied()
    const rig = start(port)
    await rig.clock.nextSleep()
    rig.server.close()
    expect(rig.clock.sleeping()).toBe(0)
    await release()
    const other = start(port)
    expect(await other.server.port).toBe(port)
  })
})

test('the end closes connections at once, also idle ones', async () => {
  const rig = start()
  const port = await rig.server.port
  const socket = await open(port)
  const kept = get({ host: '127.0.0.1', port, path: '/livez', headers: { connection: 'keep-alive' } })
  const [response] = await once(kept, 'response')
  response.resume()
  await once(response, 'end')
  const ended = once(socket.resume(), 'close')
  rig.server.close()
  await ended
  await expect(open(port)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
})
