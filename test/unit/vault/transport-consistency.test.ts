/** What a performance standby that is behind costs: one more request, and no more than that. */
import { expect, test } from 'vitest'
import { type Answering, answerJson } from '../../support/http-fault-server.ts'
import { failureOf, serve, signRequest, transportTo } from './transport-rig.ts'

const ok = answerJson({ data: { answer: 42 } })
const behind = (headers = {}): Answering => answerJson({ errors: ['required index state not present'] }, 412, headers)

const behindOnce =
  (headers = {}): Answering =>
  (exchange) =>
    exchange.index === 0 ? behind(headers)(exchange) : ok(exchange)

test.each([{}, { 'retry-after': '0' }])('a standby that is behind is asked once more: %j', async (headers) => {
  const server = await serve(behindOnce(headers))
  const { transport, events } = transportTo(server.origin)
  expect((await transport.request(signRequest)).status).toBe(200)
  expect(server.requests).toHaveLength(2)
  expect(server.requests[1]?.body).toBe(server.requests[0]?.body)
  expect(events.filter(({ type }) => type === 'vault-request')).toHaveLength(1)
})

test('and not twice', async () => {
  const server = await serve(behind())
  expect((await failureOf(transportTo(server.origin))).code).toBe('vault-standby')
  expect(server.requests).toHaveLength(2)
})

test('a wait that is longer than the deadline is left to the schedule', async () => {
  const server = await serve(behind({ 'retry-after': '10' }))
  const error = await failureOf(transportTo(server.origin))
  expect(error).toMatchObject({ code: 'vault-standby', retryAfterMs: 10_000 })
  expect(server.requests).toHaveLength(1)
})

test('the next address is asked if it stays behind', async () => {
  const [first, second] = [await serve(behind()), await serve(ok)]
  const { transport } = transportTo('', { origins: [first.origin, second.origin] })
  await transport.request(signRequest)
  expect([first.requests.length, second.requests.length]).toEqual([2, 1])
})

test('what was written is asked for again while the connection is held, and forgotten with it', async () => {
  const server = await serve(answerJson({ data: {} }, 200, { 'x-vault-index': 'djE6abc=' }))
  const { transport } = transportTo(server.origin)
  const release = transport.hold()
  await transport.request(signRequest)
  await transport.request(signRequest)
  release()
  await server.idle()
  await transport.request(signRequest)
  expect(server.requests.map(({ headers }) => headers['x-vault-index'])).toEqual([undefined, 'djE6abc=', undefined])
})
