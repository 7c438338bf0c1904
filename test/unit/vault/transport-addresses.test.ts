/** What several addresses of Vault are for: as long as one of them is any use, a request succeeds, and it says which. */
import { describe, expect, test } from 'vitest'
import { createCa } from '../../support/certificates.ts'
import { type Answering, answerJson, type FaultServer, resetConnection } from '../../support/http-fault-server.ts'
import {
  canaries,
  failureOf,
  serve,
  serveSilence,
  signRequest,
  type TransportRig,
  transportTo,
} from './transport-rig.ts'

const ok = answerJson({ data: { answer: 42 } })
const sealed = answerJson({ errors: ['Vault is sealed'] }, 503)
const standby = answerJson({ errors: ['no active Vault instance found'] }, 503)

function transportToAll(servers: readonly Pick<FaultServer, 'origin'>[], timeoutMs = 10_000): TransportRig {
  return transportTo('', { origins: servers.map(({ origin }) => origin), timeoutMs })
}

const addressesOf = ({ events }: TransportRig) => events.filter(({ type }) => type === 'vault-address')

async function gone(): Promise<FaultServer> {
  const server = await serve(ok)
  await server.close()
  return server
}

async function ofAnotherCa(): Promise<FaultServer> {
  const ca = await createCa({ commonName: 'Another CA' })
  const { certificatePem: cert, privateKeyPem: key } = await ca.issue({ server: true, ipAddresses: ['127.0.0.1'] })
  return await serve(ok, { tls: { cert, key } })
}

describe('the next address is asked where the first one', () => {
  test.each<[string, string, () => Promise<Pick<FaultServer, 'origin'>>]>([
    ['is down', 'vault-unreachable', gone],
    ['resets the connection', 'vault-connection-lost', () => serve(({ socket }) => resetConnection(socket))],
    ['does not answer', 'vault-timeout', () => serve(() => {})],
    ['takes connections and says nothing', 'vault-timeout', serveSilence],
    ['is verified by another CA', 'vault-tls', ofAnotherCa],
    ['is sealed', 'vault-sealed', () => serve(sealed)],
    ['is a standby without a leader', 'vault-standby', () => serve(standby)],
    ['is a performance standby', 'vault-standby', () => serve(answerJson(undefined, 473))],
    ['redirects to nowhere', 'vault-redirect', () => serve(answerJson(undefined, 307))],
  ])('%s', async (_name, reason, start) => {
    const first = await start()
    const second = await serve(ok)
    const rig = transportToAll([first, second], reason === 'vault-timeout' ? 4000 : 10_000)
    const answer = await rig.transport.request(signRequest)
    expect(answer.body).toEqual({ data: { answer: 42 } })
    expect(second.requests[0]?.headers).toMatchObject({ 'x-vault-token': canaries.token })
    expect(addressesOf(rig)).toMatchObject([{ address: second.origin, instead: [{ reason }] }])
    expect(rig.events.filter(({ type }) => type === 'vault-request')).toMatchObject([{ outcome: 'ok' }])
  })
})

test.each([
  [400, 'vault-request-refused'],
  [403, 'vault-denied'],
  [404, 'vault-not-found'],
  [429, 'vault-rate-limited'],
  [500, 'vault-server-error'],
])('%d is an answer of the cluster: the next address is not asked', async (status, code) => {
  const second = await serve(ok)
  const first = await serve(answerJson({ errors: ['no'] }, status))
  expect((await failureOf(transportToAll([first, second]))).code).toBe(code)
  expect(second.connections()).toBe(0)
})

test('the one that answered last is asked first, until it is no use', async () => {
  const [first, second, third] = [await gone(), await serve(ok), await serve(ok)]
  const rig = transportToAll([first, second, third])
  const release = rig.transport.hold()
  for (let count = 0; count < 3; count++) await rig.transport.request(signRequest)
  expect(second.requests).toHaveLength(3)
  second.answerWith(sealed)
  for (let count = 0; count < 2; count++) await rig.transport.request(signRequest)
  release()
  expect(second.requests).toHaveLength(4)
  expect(third.requests).toHaveLength(2)
  expect(addressesOf(rig)).toMatchObject([
    { address: second.origin, instead: [{ reason: 'vault-unreachable' }] },
    { address: third.origin, instead: [{ reason: 'vault-sealed' }] },
  ])
})

test('after the last comes the first', async () => {
  const [first, second] = [await serve(sealed), await serve(ok)]
  const rig = transportToAll([first, second])
  await rig.transport.request(signRequest)
  first.answerWith(ok)
  second.answerWith(sealed)
  await rig.transport.request(signRequest)
  expect(addressesOf(rig)).toMatchObject([{ address: second.origin }, { address: first.origin }])
})

test('each is asked once, and the failure names all of them', async () => {
  const servers = [await gone(), await serve(standby), await serve(sealed)]
  const rig = transportToAll(servers)
  const error = await failureOf(rig)
  expect(error.code).toBe('vault-unreachable')
  for (const { origin } of servers) expect(error.message).toContain(`POST ${origin}/v1/pki/sign/calico-node: `)
  expect(servers.map(({ requests }) => requests.length)).toEqual([0, 1, 1])
  expect(addressesOf(rig)).toEqual([])
})

test('all of them share the deadline', async () => {
  const servers = [await serve(() => {}), await serve(() => {}), await serve(() => {})]
  const error = await failureOf(transportToAll(servers, 600))
  expect(error.code).toBe('vault-timeout')
  const waited = [...error.message.matchAll(/within (\d+) ms/g)].map(([, ms]) => Number(ms))
  expect(waited).toHaveLength(3)
  expect(waited.reduce((sum, ms) => sum + ms)).toBeLessThanOrEqual(602)
})

test('a standby that redirects to the active node is one that answers', async () => {
  const active = await serve(ok)
  const redirecting: Answering = ({ response, path }) =>
    void response.writeHead(307, { location: active.origin + path }).end()
  const rig = transportToAll([await serve(redirecting), await serve(sealed)])
  await rig.transport.request(signRequest)
  expect(active.requests).toHaveLength(1)
  expect(addressesOf(rig)).toMatchObject([{ instead: [] }])
})

test('an active node that is down where a standby redirects to it: the next address', async () => {
  const down = await gone()
  const redirecting: Answering = ({ response, path }) =>
    void response.writeHead(307, { location: down.origin + path }).end()
  const second = await serve(ok)
  const rig = transportToAll([await serve(redirecting), second])
  await rig.transport.request(signRequest)
  expect(addressesOf(rig)).toMatchObject([{ address: second.origin, instead: [{ reason: 'vault-unreachable' }] }])
})
