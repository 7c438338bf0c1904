/**
 * Owns a proxy in front of a Vault that does to connections what networks, proxies and impostors do, in any phase: before TLS, in
 * the handshake, to a request, to an answer. Without a fault it passes bytes on. It keeps what passed, and when.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, createSecureContext, type SecureContextOptions, TLSSocket } from 'node:tls'
import { createCa, type TestCa } from './certificates.ts'
import type { VaultServer } from './vault-server.ts'

/** What is done instead of passing on; everything absent is passed on. */
export interface ProxyFault {
  /** Takes the TCP connection before a byte of TLS. */
  readonly onConnection?: (socket: Socket) => void
  /** Another certificate or other versions of TLS. */
  readonly tls?: SecureContextOptions
  /** Takes the request, which does not reach Vault unless the answer is `pass`. */
  readonly onRequest?: (client: TLSSocket, path: string | undefined) => unknown
  /** Takes the answer of Vault. */
  readonly onAnswer?: (client: TLSSocket, answer: Buffer) => void
}

export interface PassedRequest {
  readonly atMs: number
  readonly path: string
}

export interface FaultProxy {
  /** `https://127.0.0.1:PORT`, the same all the time. */
  readonly address: string
  readonly port: number
  readonly ca: TestCa
  readonly caFile: string
  readonly requests: readonly PassedRequest[]
  /** When each TCP connection was taken, in milliseconds since the epoch. */
  readonly connections: readonly number[]
  /** Every token that a request or an answer has shown. */
  readonly tokens: ReadonlySet<string>
  /** Undefined: passes on. Connections that are open end with the change. */
  setFault(fault: ProxyFault | undefined): void
  /** Where requests go. */
  readonly target: string
  /** The next requests go to another Vault. */
  retarget(vault: Pick<VaultServer, 'address' | 'caPem'>): void
  /** Nobody listens on the port, or again. */
  close(): Promise<void>
  open(): Promise<void>
  stop(): Promise<void>
}

export async function startFaultProxy(vault: Pick<VaultServer, 'address' | 'caPem'>): Promise<FaultProxy> {
  const directory = mkdtempSync(join(tmpdir(), 'fault-proxy-'))
  const caFile = join(directory, 'ca.pem')
  const ca = await createCa({ commonName: 'Vault front CA' })
  writeFileSync(caFile, ca.certificatePem)
  const good = await serverIdentity(ca)
  const open = new Set<Socket>()
  const requests: PassedRequest[] = []
  const connections: number[] = []
  const tokens = new Set<string>()
  let target = vault
  let fault: ProxyFault = {}
  let server: Server | undefined
  let port = 0

  function accept(socket: Socket): void {
    connections.push(preciseNow())
    socket.setNoDelay(true)
    open.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => open.delete(socket))
    if (fault.onConnection !== undefined) return fault.onConnection(socket)
    const secureContext = createSecureContext({ ...good, ...fault.tls })
    const client = new TLSSocket(socket, { isServer: true, secureContext })
    client.on('error', () => socket.destroy())
    relay(client, socket)
  }

  function relay(client: TLSSocket, below: Socket): void {
    const { hostname, port: vaultPort } = new URL(target.address)
    const upstream = connect({ host: hostname, port: Number(vaultPort), ca: target.caPem })
    open.add(upstream)
    upstream.setNoDelay(true)
    upstream.on('error', () => below.destroy())
    upstream.on('close', () => {
      open.delete(upstream)
      if (fault.onAnswer === undefined) client.end()
    })
    below.on('close', () => upstream.destroy())
    client.on('data', (chunk: Buffer) => {
      const path = requestPath(chunk)
      if (path !== undefined) requests.push({ atMs: preciseNow(), path })
      keepTokens(chunk)
      if (fault.onRequest === undefined || fault.onRequest(client, path) === 'pass') upstream.write(chunk)
    })
    upstream.on('data', (chunk: Buffer) => {
      keepTokens(chunk)
      if (fault.onAnswer !== undefined) fault.onAnswer(client, chunk)
      else client.write(chunk)
    })
  }

  function keepTokens(chunk: Buffer): void {
    for (const [token] of chunk.toString('latin1').matchAll(/\bhv[sb]\.[\w-]{20,}/g)) tokens.add(token)
  }

  const endAll = (): void => {
    for (const socket of open) socket.destroy()
  }

  const proxy: FaultProxy = {
    get address() {
      return `https://127.0.0.1:${port}`
    },
    get port() {
      return port
    },
    ca,
    caFile,
    requests,
    connections,
    tokens,
    get target() {
      return target.address
    },
    setFault(next = {}) {
      fault = next
      endAll()
    },
    retarget(next) {
      target = next
      endAll()
    },
    async close() {
      const closing = server
      server = undefined
      endAll()
      await new Promise<void>((resolve) => (closing === undefined ? resolve() : closing.close(() => resolve())))
    },
    async open() {
      const opened = createServer(accept)
      await new Promise<void>((resolve, reject) => {
        opened.once('error', reject)
        opened.listen(port, '127.0.0.1', resolve)
      })
      port = (opened.address() as AddressInfo).port
      server = opened
    },
    async stop() {
      await proxy.close()
      rmSync(directory, { recursive: true, force: true })
    },
  }
  await proxy.open()
  return proxy
}

/** What the agent expects of Vault's certificate; each deviation is one that it must refuse. */
export async function serverIdentity(
  ca: TestCa,
  { ipAddress = '127.0.0.1', notAfter }: { ipAddress?: string; notAfter?: Date } = {},
): Promise<{ key: string; cert: string }> {
  const leaf = await ca.issue({
    commonName: 'vault',
    dnsNames: ['vault.test'],
    ipAddresses: [ipAddress],
    server: true,
    ...(notAfter === undefined ? {} : { notBefore: new Date(notAfter.getTime() - 3_600_000), notAfter }),
  })
  return { key: leaf.privateKeyPem, cert: leaf.certificatePem }
}

/** Milliseconds since the epoch with their fractions. */
function preciseNow(): number {
  return performance.timeOrigin + performance.now()
}

function requestPath(chunk: Buffer): string | undefined {
  return /^(?:GET|POST) \/v1\/(\S+) HTTP\/1\.1\r\n/.exec(chunk.toString('latin1', 0, 500))?.[1]
}
