import { describe, expect, test } from 'vitest'
import { type Answering, answerJson, type Exchange } from '../../support/http-fault-server.ts'
import { canaries, failureOf, serve, signRequest, transportTo } from './transport-rig.ts'

const ok = answerJson({ data: { answer: 42 } })

function redirect(location: string | ((exchange: Exchange) => string), status = 307): Answering {
  return (exchange) => {
    const target = typeof location === 'string' ? location : location(exchange)
    exchange.response.writeHead(status, { location: target }).end()
  }
}

describe('an answer', () => {
  test('comes with status, headers and parsed body; the request was as asked for', async () => {
    const server = await serve(answerJson({ data: { answer: 42 } }, 200, { 'x-here': 'yes' }))
    const { transport, events } = transportTo(server.origin)
    const answer = await transport.request(signRequest)
    expect(answer).toMatchObject({ status: 200, headers: { 'x-here': 'yes' }, body: { data: { answer: 42 } } })
    const [request] = server.requests
    expect(request).toMatchObject({ method: 'POST', path: '/v1/pki/sign/calico-node' })
    expect(request?.headers).toMatchObject({ 'x-vault-token': canaries.token, 'content-type': 'application/json' })
    expect(JSON.parse(request?.body ?? '')).toEqual(signRequest.json)
    expect(events.map(({ type }) => type)).toEqual(['vault-request'])
    expect(events[0]).toMatchObject({ operation: 'sign', outcome: 'ok' })
  })

  test.each([
    ['204', answerJson(undefined, 204)],
    ['empty', answerJson(undefined)],
  ])('%s has no body', async (_name, answering) => {
    const server = await serve(answering)
    const answer = await transportTo(server.origin).transport.request({
      ...signRequest,
      method: 'GET',
      json: undefined,
    })
    expect(answer.body).toBeUndefined()
    expect(server.requests[0]?.headers).not.toHaveProperty('content-type')
  })
})

describe('a refusal', () => {
  test("names method, path, status and Vault's words on one line", async () => {
    const server = await serve(answerJson({ errors: ['1 error occurred:\n\t* permission denied\n\n', 'why'] }, 403))
    const error = await failureOf(transportTo(server.origin))
    expect(error.code).toBe('vault-denied')
    expect(error.message).toBe(
      `POST ${server.origin}/v1/pki/sign/calico-node: 403 1 error occurred: * permission denied ; why`,
    )
  })

  test('of a proxy as a web page keeps its status, as plain text its words', async () => {
    const server = await serve(({ response, index }) => {
      response.writeHead(502).end(index === 0 ? ' <html>CANARY</html>' : 'upstream is\r\n\u001b[31m gone\n')
    })
    const page = await failureOf(transportTo(server.origin))
    expect(page.code).toBe('vault-server-error')
    expect(page.message).toMatch(/: 502$/)
    expect((await failureOf(transportTo(server.origin))).message).toMatch(/: 502 upstream is \[31m gone$/)
  })

  test('that repeats what was sent is told without the secrets', async () => {
    const server = await serve((exchange) => {
      answerJson(
        { errors: [`bad ${exchange.body}`, `token ${String(exchange.headers['x-vault-token'])}`] },
        400,
      )(exchange)
    })
    const error = await failureOf(transportTo(server.origin), { ...signRequest, json: { jwt: canaries.jwt } })
    expect(error.message).toContain('bad {"jwt":"[redacted]"}; token [redacted]')
  })

  const date = 'Sun, 06 Nov 2033 08:49:37 GMT'
  test.each([
    ['7', 7000],
    ['Sun, 06 Nov 2033 08:50:07 GMT', 30_000],
    ['Sun, 06 Nov 2033 08:49:07 GMT', 0],
    ['soon', undefined],
    ['', undefined],
    ['-1', undefined],
  ])('with Retry-After %j', async (header, expected) => {
    const server = await serve(answerJson({ errors: ['quota exceeded'] }, 429, { 'retry-after': header, date }))
    const error = await failureOf(transportTo(server.origin))
    expect(error.code).toBe('vault-rate-limited')
    expect(error.retryAfterMs).toBe(expected)
  })
})

describe('a redirect', () => {
  test('that stays on the origin is followed once, with token and body', async () => {
    const server = await serve((exchange) => {
      if (exchange.index === 0) redirect('/v1/elsewhere?list=true')(exchange)
      else ok(exchange)
    })
    const answer = await transportTo(server.origin).transport.request(signRequest)
    expect(answer.status).toBe(200)
    const [first, second] = server.requests
    expect(second).toMatchObject({ method: 'POST', path: '/v1/elsewhere?list=true', body: first?.body })
    expect(second?.headers).toMatchObject({ 'x-vault-token': canaries.token })
    expect(server.connections()).toBe(1)
  })

  test('that stays on the origin and is written in full', async () => {
    const server = await serve((exchange) => {
      if (exchange.index === 0) redirect(`${server.origin}/v1/elsewhere`)(exchange)
      else ok(exchange)
    })
    await transportTo(server.origin).transport.request(signRequest)
    expect(server.requests[1]?.path).toBe('/v1/elsewhere')
  })

  test('is not followed twice', async () => {
    const server = await serve(redirect('/v1/again'))
    const error = await failureOf(transportTo(server.origin))
    expect(error.code).toBe('vault-redirect')
    expect(error.message).toMatch(/\/v1\/pki\/sign\/calico-node: 307$/)
    expect(server.requests).toHaveLength(2)
  })

  test.each([301, 302, 303, 308])('with status %d is not followed', async (status) => {
    const server = await serve(redirect('/v1/elsewhere', status))
    expect((await failureOf(transportTo(server.origin))).code).toBe('vault-redirect')
    expect(server.requests).toHaveLength(1)
  })

  test.each([
    ['another port', (other: string) => `${other}/v1/x`],
    ['another host', (_: string, own: string) => own.replace('127.0.0.1', 'localhost')],
    ['http', (_: string, own: string) => own.replace('https', 'http')],
    ['another host without a scheme', (other: string) => `${other.replace('https:', '')}/v1/x`],
    ['nowhere', () => 'http://[::bad'],
  ])('to %s is not followed, and nothing is sent there', async (_name, target) => {
    const other = await serve(ok)
    const server = await serve(redirect(() => target(other.origin, server.origin)))
    const error = await failureOf(transportTo(server.origin))
    expect(error.code).toBe('vault-redirect')
    expect(other.connections()).toBe(0)
    expect(server.requests).toHaveLength(1)
    expect(server.connections()).toBe(1)
  })

  test('without a location is not followed', async () => {
    const server = await serve(answerJson(undefined, 307))
    expect((await failureOf(transportTo(server.origin))).code).toBe('vault-redirect')
  })
})

describe('the connection', () => {
  test('serves all requests while it is held, and ends with the last holder', async () => {
    const server = await serve(ok)
    const { transport } = transportTo(server.origin)
    const releases = [transport.hold(), transport.hold()]
    for (let count = 0; count < 3; count++) await transport.request(signRequest)
    expect(server.connections()).toBe(1)
    releases[0]?.()
    releases[0]?.()
    await transport.request(signRequest)
    expect(server.connections()).toBe(1)
    releases[1]?.()
    await server.idle()
    await transport.request(signRequest)
    expect(server.connections()).toBe(2)
    await server.idle()
  })

  test('is not kept where nobody holds it', async () => {
    const server = await serve(ok)
    const { transport } = transportTo(server.origin)
    await transport.request(signRequest)
    await server.idle()
    await transport.request(signRequest)
    expect(server.connections()).toBe(2)
  })
})
