/** What a proxy on the way to Vault sees and does: a tunnel with TLS to Vault inside, and a failure that is told as its own. */
import { writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { expect, onTestFinished, test } from 'vitest'
import type { Proxies } from '../../../agent/config/proxy.ts'
import { Secret } from '../../../agent/core/secret.ts'
import { createCa } from '../../support/certificates.ts'
import { answerJson, type FaultServer } from '../../support/http-fault-server.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { failureOf, serve, serverTls, serveSilence, signRequest, testCa, transportTo } from './transport-rig.ts'

const ok = answerJson({ data: { answer: 42 } })
const password = 'dXNlcjpDQU5BUlk='
const authorization = new Secret(`Basic ${password} CANARY`)

interface TestProxy {
  readonly proxies: Proxies
  readonly asked: IncomingMessage[]
}

/** A proxy that leads every tunnel to the server, whatever its name; `answer`: what it says instead. */
async function startProxy(to: FaultServer | undefined, answer?: string, tls?: object): Promise<TestProxy> {
  const asked: IncomingMessage[] = []
  const server: Server = tls === undefined ? createServer() : createTlsServer(tls)
  const sockets = new Set<Duplex>()
  server.on('connect', (request: IncomingMessage, client: Duplex) => {
    asked.push(request)
    sockets.add(client)
    client.on('error', () => {})
    if (answer !== undefined) return void client.end(answer)
    const vault: Socket = connect(to?.port ?? 0, '127.0.0.1', () => client.write('HTTP/1.1 200 OK\r\n\r\n'))
    vault.on('error', () => client.destroy())
    return void client.pipe(vault).pipe(client)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const origin = `http${tls === undefined ? '' : 's'}://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { proxies: { https: { origin, authorization }, http: undefined, except: [] }, asked }
}

async function vaultNamed(name: string): Promise<FaultServer> {
  const { certificatePem: cert, privateKeyPem: key } = await testCa.issue({ server: true, dnsNames: [name] })
  return await serve(ok, { tls: { cert, key } })
}

test.each([
  ['through plain TCP', undefined],
  ['through TLS to the proxy', serverTls],
])('the proxy resolves the name, and TLS is with Vault itself, %s', async (_what, tls) => {
  const server = await vaultNamed('vault.test')
  const { proxies, asked } = await startProxy(server, undefined, tls)
  const { transport } = transportTo('https://vault.test:8200', { proxies })
  const release = transport.hold()
  await transport.request(signRequest)
  await transport.request(signRequest)
  release()
  expect(asked.map(({ url }) => url)).toEqual(['vault.test:8200'])
  expect(asked[0]?.headers).toEqual({ host: 'vault.test:8200', 'proxy-authorization': authorization.reveal() })
  // Only the proxy is told its password.
  for (const { headers } of server.requests) expect(JSON.stringify(headers)).not.toContain(password)
})

test('Vault is verified by its name, whatever the proxy connects to', async () => {
  const { proxies } = await startProxy(await vaultNamed('elsewhere.test'))
  const error = await failureOf(transportTo('https://vault.test:8200', { proxies }))
  expect(error.code).toBe('vault-tls')
})

test('a client certificate is for Vault', async () => {
  const { certificatePem: cert, privateKeyPem: key } = await testCa.issue({ server: true, dnsNames: ['vault.test'] })
  const server = await serve(ok, { tls: { cert, key, ca: testCa.certificatePem, requestCert: true } })
  const client = await testCa.issue({ commonName: 'node1' })
  const directory = tempDir()
  const [clientCertFile, clientKeyFile] = [join(directory, 'client.pem'), join(directory, 'client.key')]
  writeFileSync(clientCertFile, client.certificatePem)
  writeFileSync(clientKeyFile, client.privateKeyPem)
  const { proxies } = await startProxy(server)
  await transportTo('https://vault.test', { proxies, clientCertFile, clientKeyFile }).transport.request(signRequest)
  expect(server.requests).toHaveLength(1)
})

test('what NO_PROXY names is reached directly', async () => {
  const server = await serve(ok)
  const { proxies, asked } = await startProxy(server)
  await transportTo(server.origin, { proxies }).transport.request(signRequest)
  expect(asked).toEqual([])
})

test.each([
  [
    'wants a password',
    'HTTP/1.1 407 Proxy Authentication Required\r\n\r\n',
    /opens no way to vault\.test:8200: 407 Proxy Auth/,
  ],
  ['forbids it', 'HTTP/1.0 403 Filtered\r\n\r\n<html>', /403 Filtered$/],
  ['is none', 'SSH-2.0-OpenSSH_9.6\r\n\r\n', /it does not speak HTTP\/1\.1$/],
  ['closes the connection', '', /it closed the connection$/],
  ['says more than it was asked', 'HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n', /says more than it was asked$/],
  ['never ends its head', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(20_000)}`, /its answer has no end$/],
])('a proxy that %s', async (_name, answer, message) => {
  const { proxies } = await startProxy(undefined, answer)
  const error = await failureOf(transportTo('https://vault.test:8200', { proxies }))
  expect(error.code).toBe('vault-proxy')
  expect(error.message).toMatch(message)
})

test('a proxy that is not there', async () => {
  const gone = await serve(ok)
  await gone.close()
  const proxies = {
    https: { origin: gone.origin.replace('https', 'http'), authorization },
    http: undefined,
    except: [],
  }
  const error = await failureOf(transportTo('https://vault.test:8200', { proxies }))
  expect(error.code).toBe('vault-proxy')
  expect(error.message).toMatch(/ECONNREFUSED/)
})

test('an https proxy of another CA', async () => {
  const ca = await createCa({ commonName: 'Another CA' })
  const { certificatePem: cert, privateKeyPem: key } = await ca.issue({ server: true, ipAddresses: ['127.0.0.1'] })
  const { proxies, asked } = await startProxy(undefined, undefined, { cert, key })
  const error = await failureOf(transportTo('https://vault.test:8200', { proxies }))
  expect(error.code).toBe('vault-proxy')
  expect(asked).toEqual([])
})

test('a proxy that is silent costs the deadline, and no more', async () => {
  const silent = await serveSilence()
  const proxies = { https: { origin: silent.origin, authorization }, http: undefined, except: [] }
  const error = await failureOf(transportTo('https://vault.test:8200', { proxies, timeoutMs: 150 }))
  expect(['vault-timeout', 'vault-proxy']).toContain(error.code)
})
