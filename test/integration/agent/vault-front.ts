/**
 * Owns a TLS server in front of a Vault, so that a test can do to any Vault what only the development Vault has built in: count
 * the requests, look at a token, stay silent, change the certificate, go away and come back on the same port.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Agent, createServer, request, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { createCa, type TestCa } from '../../support/certificates.ts'
import type { VaultServer } from '../../support/vault-server.ts'

export interface FrontRecord {
  readonly method: string
  /** Without `/v1/`, with the query. */
  readonly path: string
  readonly token: string | undefined
}

export interface VaultFront {
  /** The same through every restart. */
  readonly address: string
  /** The CA of its certificate, as it was at the start. */
  readonly caFile: string
  /** The CA of its certificate now. */
  readonly caPem: string
  /** What has been asked; a test may empty it. */
  readonly requests: FrontRecord[]
  /** Connections, also those without a request. */
  readonly connections: number
  /** Requests are read, and never answered. */
  isSilent: boolean
  /** Requests are answered by the front itself, with the web page of a proxy that has lost Vault. */
  isLost: boolean
  /** Of the Date header, also of that page: of a proxy that writes its own. Default: Vault's. */
  now: (() => number) | undefined
  /** Changes the body of a request on its way to Vault. */
  rewrite: (path: string, body: string) => string
  /** Changes the body of an answer on its way back. */
  rewriteAnswer: ((path: string, body: string) => string) | undefined
  /** The next request, from now on, whose path begins so. */
  nextRequest(path: string): Promise<FrontRecord>
  /** Nobody listens on the port any more. */
  close(): Promise<void>
  /** Listens again, with another certificate of the same CA or of a new one. */
  open(options?: { readonly newCa?: boolean }): Promise<void>
}

export interface VaultFrontOptions {
  /** Default: any free one. */
  readonly port?: number
}

export async function startVaultFront(
  vault: Pick<VaultServer, 'address' | 'caPem'>,
  { port = 0 }: VaultFrontOptions = {},
): Promise<VaultFront> {
  const directory = mkdtempSync(join(tmpdir(), 'vault-front-'))
  const caFile = join(directory, 'ca.pem')
  const upstream = new Agent({ ca: vault.caPem, keepAlive: true })
  let ca = await createCa({ commonName: 'Front CA' })
  let server: Server | undefined
  let connections = 0
  let boundPort = port
  const waiting = new Set<(record: FrontRecord) => void>()
  writeFileSync(caFile, ca.certificatePem)

  function answer(incoming: IncomingMessage, response: ServerResponse): void {
    const path = (incoming.url ?? '').replace(/^\/v1\//, '')
    const token = incoming.headers['x-vault-token']
    const record = { method: incoming.method ?? '', path, token: typeof token === 'string' ? token : undefined }
    front.requests.push(record)
    const chunks: Buffer[] = []
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
    incoming.on('end', () => {
      for (const notify of waiting) notify(record)
      if (front.isLost) {
        response.writeHead(503, {
          'content-type': 'text/html',
          date: new Date((front.now ?? Date.now)()).toUTCString(),
        })
        response.end('<html>503 Service Unavailable</html>')
      } else if (!front.isSilent) forward(incoming, front.rewrite(path, Buffer.concat(chunks).toString()), response)
    })
  }

  function forward(incoming: IncomingMessage, body: string, response: ServerResponse): void {
    const { host: _host, 'content-length': _length, ...headers } = incoming.headers
    const sent = request(
      new URL(incoming.url ?? '/', vault.address),
      {
        method: incoming.method,
        agent: upstream,
        headers: { ...headers, ...(body === '' ? {} : { 'content-length': Buffer.byteLength(body) }) },
      },
      (received) => {
        const date = front.now === undefined ? {} : { date: new Date(front.now()).toUTCString() }
        const { rewriteAnswer } = front
        if (rewriteAnswer === undefined) {
          response.writeHead(received.statusCode ?? 502, { ...received.headers, ...date })
          return received.pipe(response)
        }
        const { 'content-length': _answerLength, ...head } = received.headers
        const chunks: Buffer[] = []
        received.on('data', (chunk: Buffer) => chunks.push(chunk))
        return received.on('end', () => {
          response.writeHead(received.statusCode ?? 502, { ...head, ...date })
          response.end(rewriteAnswer(incoming.url ?? '', Buffer.concat(chunks).toString()))
        })
      },
    )
    sent.on('error', () => response.destroy())
    sent.end(body)
  }

  const front: VaultFront = {
    get address() {
      return `https://127.0.0.1:${boundPort}`
    },
    caFile,
    get caPem() {
      return ca.certificatePem
    },
    requests: [],
    get connections() {
      return connections
    },
    isSilent: false,
    isLost: false,
    now: undefined,
    rewrite: (_path, body) => body,
    rewriteAnswer: undefined,
    nextRequest: (path) =>
      new Promise((resolve) => {
        const notify = (record: FrontRecord): void => {
          if (!record.path.startsWith(path)) return
          waiting.delete(notify)
          resolve(record)
        }
        waiting.add(notify)
      }),
    async close() {
      if (server === undefined) return
      const closing = server
      server = undefined
      closing.closeAllConnections()
      await new Promise((resolve) => closing.close(resolve))
    },
    async open({ newCa = false } = {}) {
      if (newCa) ca = await createCa({ commonName: 'Another front CA' })
      const opened = createServer(await serverTls(ca), answer)
      opened.on('connection', () => connections++)
      // A client that does not trust the certificate ends the handshake: its business.
      opened.on('tlsClientError', () => {})
      await new Promise<void>((resolve, reject) => {
        opened.once('error', reject)
        opened.listen(boundPort, '127.0.0.1', resolve)
      })
      boundPort = (opened.address() as AddressInfo).port
      server = opened
    },
  }
  await front.open()
  onTestFinished(async () => {
    await front.close()
    upstream.destroy()
    rmSync(directory, { recursive: true, force: true })
  })
  return front
}

async function serverTls(ca: TestCa): Promise<{ key: string; cert: string }> {
  const leaf = await ca.issue({
    commonName: 'vault',
    dnsNames: ['localhost'],
    ipAddresses: ['127.0.0.1'],
    server: true,
  })
  return { key: leaf.privateKeyPem, cert: leaf.certificatePem }
}
