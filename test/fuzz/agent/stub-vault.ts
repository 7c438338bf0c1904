/** Owns a Vault that answers well, but for the one answer that a case damages: bytes over a socket, so that no server mends them. */
import { type AddressInfo, createServer as createPlainServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { readDer } from '../../support/der.ts'
import { clientAuth, extendedKeyUsage, keyUsage, keyUsageBits, nameOf, signCertificate } from '../../support/x509.ts'
import { bytesOf, type HttpAnswer } from './damage.ts'
import { hourMs, type Material } from './material.ts'

export const answerNames = ['login', 'issuers', 'issuer', 'sign', 'secret', 'lookup'] as const
export type AnswerName = (typeof answerNames)[number]

export interface StubVault {
  readonly plain: string
  readonly tls: string
  /** What is done to an answer; undefined: it goes out as it is. */
  damage: ((name: AnswerName, answer: HttpAnswer) => Buffer | undefined) | undefined
  now: () => number
  stop(): Promise<void>
}

export async function startStubVault(material: Material): Promise<StubVault> {
  const sockets = new Set<Socket>()
  const serve = (socket: Socket): void => {
    let received = Buffer.alloc(0)
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk])
      const head = received.indexOf('\r\n\r\n')
      if (head < 0) return
      const text = received.subarray(0, head).toString('latin1')
      const length = Number(/^content-length: (\d+)/im.exec(text)?.[1] ?? 0)
      if (received.length < head + 4 + length) return
      const body = received.subarray(head + 4, head + 4 + length).toString()
      received = received.subarray(head + 4 + length)
      const path = text.split(' ')[1] ?? ''
      const name = nameOfPath(path)
      const answer = answerTo(name, body, material, stub.now())
      const damaged = name === undefined ? undefined : stub.damage?.(name, answer)
      if (damaged === undefined) socket.write(bytesOf(answer))
      else socket.end(damaged)
    })
  }
  const servers: Server[] = [
    createPlainServer(serve),
    createTlsServer(
      {
        key: material.tlsServer.privateKeyPem,
        cert: material.tlsServer.certificatePem,
        requestCert: true,
        rejectUnauthorized: false,
      },
      serve,
    ),
  ]
  const [plain = 0, tls = 0] = await Promise.all(servers.map(listen))
  const stub: StubVault = {
    plain: `http://127.0.0.1:${plain}`,
    tls: `https://127.0.0.1:${tls}`,
    damage: undefined,
    now: Date.now,
    stop: async () => {
      for (const each of sockets) each.destroy()
      await Promise.all(servers.map((each) => new Promise((resolve) => each.close(resolve))))
    },
  }
  return stub
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port))
  })
}

function nameOfPath(path: string): AnswerName | undefined {
  if (path.endsWith('/login')) return 'login'
  if (path.includes('/issuers?')) return 'issuers'
  if (path.includes('/issuer/')) return 'issuer'
  if (path.includes('/sign/')) return 'sign'
  if (path.includes('/data/')) return 'secret'
  return path.includes('/auth/token/') ? 'lookup' : undefined
}

function answerTo(name: AnswerName | undefined, body: string, material: Material, nowMs: number): HttpAnswer {
  const headers = { 'Content-Type': 'application/json', Date: new Date(nowMs).toUTCString() }
  if (name === undefined) return { status: '404 Not Found', headers, body: { errors: [] } }
  const { ca, newer, vaultToken } = material
  const bodies: Record<AnswerName, () => unknown> = {
    login: () => ({ auth: { client_token: vaultToken, lease_duration: 900, renewable: false, policies: ['a'] } }),
    lookup: () => ({ data: { ttl: 86_400, renewable: false } }),
    issuers: () => ({ data: { keys: ['issuer-1', 'issuer-2'] } }),
    issuer: () => ({ data: { certificate: ca.certificatePem, ca_chain: [ca.certificatePem] } }),
    sign: () => ({
      data: { certificate: sign(body, material, nowMs), ca_chain: [ca.certificatePem], issuing_ca: ca.certificatePem },
    }),
    secret: () => ({
      data: {
        data: { 'etcd-cert': newer.certificate, 'etcd-key': newer.key, 'etcd-ca': newer.ca },
        metadata: { version: 3 },
      },
    }),
  }
  return { status: '200 OK', headers, body: bodies[name]() }
}

function sign(body: string, { ca }: Material, nowMs: number): string {
  const { csr, common_name: name } = JSON.parse(body) as { csr: string; common_name: string }
  const request = readDer(Buffer.from(csr.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64'))
  const publicKeyDer = request.children[0]?.children[2]?.raw ?? Buffer.alloc(0)
  return signCertificate(
    {
      subject: nameOf(name),
      issuer: nameOf(ca.commonName),
      publicKeyDer,
      notBefore: new Date(nowMs - 30_000),
      notAfter: new Date(nowMs + 24 * hourMs),
      extensions: [keyUsage(keyUsageBits.digitalSignature), extendedKeyUsage(clientAuth)],
    },
    ca.keys,
  ).certificatePem.trim()
}
