import { describe, expect, test } from 'vitest'
import { createCa } from '../../support/certificates.ts'
import { type Answering, answerJson, type Exchange } from '../../support/http-fault-server.ts'
import { canaries, failureOf, serve, signRequest, testCa, transportTo } from './transport-rig.ts'

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
    ['to a user', (other: string) => other.replace('//', '//user:CANARY@') + signRequest.path, /names a user/],
    ['to http', (other: string) => other.replace('https', 'http') + signRequest.path, /both must be https/],
    ['for another path', (other: string) => `${other}/v1/x`, /it is for another path/],
    ['with another query', (other: string) => `${other}${signRequest.path}?to=x`, /it is for another path/],
    ['without a scheme', (other: string) => `${other.replace('https:', '')}/v1/x`, /it is for another path/],
    ['nowhere', () => 'http://[::bad', /it names no address/],
    ['to a file', () => 'file:///etc/passwd', /both must be https/],
  ])('to another host, %s, is not followed, and nothing is sent there', async (_name, target, why) => {
    const other = await serve(ok)
    const server = await serve(redirect(() => target(other.origin)))
    const error = await failureOf(transportTo(server.origin))
    expect(error.code).toBe('vault-redirect')
    expect(error.message).toMatch(why)
    expect(other.connections()).toBe(0)
    expect(server.requests).toHaveLength(1)
    expect(server.connections()).toBe(1)
  })

  test('without a location is not followed', async () => {
    const server = await serve(answerJson(undefined, 307))
    expect((await failureOf(transportTo(server.origin))).message).toMatch(/307 it names no address$/)
  })
})

describe('a redirect to the active node', () => {
  const here = (origin: string): Answering => redirect(origin + signRequest.path)

  test('is followed with credentials and body, and its answer counts', async () => {
    const active = await serve(ok)
    const standby = await serve(here(active.origin))
    const { transport, events } = transportTo(standby.origin)
    const answer = await transport.request(signRequest)
    expect(answer.body).toEqual({ data: { answer: 42 } })
    expect(active.requests[0]?.headers).toMatchObject({ 'x-vault-token': canaries.token })
    expect(active.requests[0]).toMatchObject({ method: 'POST', path: signRequest.path })
    expect(active.requests[0]?.body).toBe(standby.requests[0]?.body)
    expect(events.filter(({ type }) => type === 'vault-request')).toHaveLength(1)
    await Promise.all([active.idle(), standby.idle()])
  })

  test('is followed once: its own redirect is not', async () => {
    const active = await serve(ok)
    const second = await serve(here(active.origin))
    const standby = await serve(here(second.origin))
    const error = await failureOf(transportTo(standby.origin))
    expect(error.code).toBe('vault-redirect')
    expect(error.message).toContain(`redirected to ${second.origin}`)
    expect(active.connections()).toBe(0)
  })

  test('of another CA gets nothing', async () => {
    const otherCa = await createCa({ commonName: 'Another CA' })
    const { certificatePem: cert, privateKeyPem: key } = await otherCa.issue({
      server: true,
      ipAddresses: ['127.0.0.1'],
    })
    const active = await serve(ok, { tls: { cert, key } })
    const standby = await serve(here(active.origin))
    const error = await failureOf(transportTo(standby.origin))
    expect(error.code).toBe('vault-tls')
    expect(error.message).toContain(`redirected to ${active.origin}`)
    expect(active.requests).toEqual([])
  })

  test('that is not the name of its certificate gets nothing', async () => {
    const { certificatePem: cert, privateKeyPem: key } = await testCa.issue({
      server: true,
      ipAddresses: ['127.0.0.1'],
    })
    const active = await serve(ok, { tls: { cert, key } })
    const standby = await serve(here(active.origin.replace('127.0.0.1', 'localhost')))
    const error = await failureOf(transportTo(standby.origin))
    expect(error.code).toBe('vault-tls')
    expect(error.message).toContain('localhost')
    expect(active.requests).toEqual([])
  })

  test.each(['/v1/elsewhere', 'another host'])('is not followed with VAULT_DISABLE_REDIRECTS: %s', async (target) => {
    const active = await serve(ok)
    const standby = await serve(target.startsWith('/') ? redirect(target) : here(active.origin))
    const error = await failureOf(transportTo(standby.origin, { redirects: false }))
    expect(error.message).toMatch(/VAULT_DISABLE_REDIRECTS is set$/)
    expect(standby.requests).toHaveLength(1)
    expect(active.connections()).toBe(0)
  })

  test('shares the deadline of the request', async () => {
    const active = await serve(() => {})
    const standby = await serve(here(active.origin))
    const error = await failureOf(transportTo(standby.origin, { timeoutMs: 150 }))
    expect(error.code).toBe('vault-timeout')
    expect(error.message).toContain(`redirected to ${active.origin}`)
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
