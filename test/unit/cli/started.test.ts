/** The startup probe: only the agent of the very same container can say that it has started. */
import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { started } from '../../../agent/cli/started.ts'
import { createFakeClock } from '../../support/fake-clock.ts'

const own = 'mnt:[4026532841]'

async function serve(listener: RequestListener, port = 0): Promise<{ server: Server; port: number }> {
  const server = createServer(listener).listen(port, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return { server, port: (server.address() as AddressInfo).port }
}

/** An agent as it answers in one container. */
const agentOf =
  (container: string | undefined, status = 200): RequestListener =>
  ({ url }, response) =>
    response
      .writeHead(url === '/startupz' ? status : 404, container === undefined ? {} : { 'agent-container': container })
      .end('{}')

function ask(port: number, waitMs: number) {
  const said: string[] = []
  const clock = createFakeClock()
  const listen = { host: '0.0.0.0', port }
  const code = started({ listen, container: own, waitMs, clock, say: (line) => said.push(line) })
  return { code, clock, said }
}

describe('started', () => {
  test('ends with 0 once the agent of this container has published every target', async () => {
    const { port } = await serve(agentOf(own))
    const { code, said } = ask(port, 0)
    expect({ code: await code, said }).toEqual({ code: 0, said: [] })
  })

  test.each([
    ['of the pod before, which has the port', agentOf('mnt:[4026531841]'), 'another process has the port'],
    ['of an older agent, which does not say whose it is', agentOf(undefined), 'another process has the port'],
    ['that a certificate is missing', agentOf(own, 503), 'a certificate is still missing'],
  ])('an answer %s is none', async (_what, listener, why) => {
    const { port } = await serve(listener)
    const { code, said } = ask(port, 0)
    expect(await code).toBe(69)
    expect(said).toEqual([expect.stringContaining(why)])
  })

  test('waits for the port to change hands', async () => {
    const before = await serve(agentOf('mnt:[4026531841]'))
    const { code, clock, said } = ask(before.port, 60_000)
    clock.advance(await clock.nextSleep())
    await clock.nextSleep()
    before.server.closeAllConnections()
    await once(before.server.close(), 'close')
    clock.advance(100)
    // Nobody listens.
    await clock.nextSleep()
    await serve(agentOf(own), before.port)
    clock.advance(100)
    expect({ code: await code, said }).toEqual({ code: 0, said: [] })
  })

  test('ends with 69 after the wait', async () => {
    const { port } = await serve(agentOf(own, 503))
    const { code, clock, said } = ask(port, 250)
    for (let asked = 0; asked < 3; asked++) clock.advance(await clock.nextSleep())
    expect(await code).toBe(69)
    expect(said).toHaveLength(1)
  })

  test('needs a port to ask', async () => {
    const options = { container: own, waitMs: 0, clock: createFakeClock(), say: () => {} }
    await expect(started({ ...options, listen: undefined })).rejects.toThrow('AGENT_LISTEN')
  })
})
