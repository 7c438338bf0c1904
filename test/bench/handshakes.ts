/** Owns a client that reconnects all the time with the published files, as Calico's would after each lost connection. */
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { connect, createServer, type Server } from 'node:tls'
import { createCa } from '../support/certificates.ts'

export interface HandshakeLoop {
  /** Ends it. Gaps are milliseconds from one complete handshake to the next. */
  stop(): Promise<{ gapsMs: number[]; failures: number }>
}

/** A TLS server that asks for a certificate of the CA in the directory, and a client that uses the files there. */
export async function startHandshakes(directory: string): Promise<HandshakeLoop> {
  const serverCa = await createCa({ commonName: 'etcd server CA' })
  const identity = await serverCa.issue({ commonName: 'etcd', ipAddresses: ['127.0.0.1'], server: true })
  const server = createServer(
    {
      cert: identity.certificatePem,
      key: identity.privateKeyPem,
      ca: readFileSync(join(directory, 'etcd-ca')),
      requestCert: true,
      rejectUnauthorized: true,
    },
    // TLS 1.3: only a byte from the server proves that it has accepted the client's certificate.
    (socket) => socket.end('x'),
  )
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  let running = true
  const gapsMs: number[] = []
  let failures = 0
  const loop = (async () => {
    let lastAt = performance.now()
    while (running) {
      if (await handshake(server, serverCa.certificatePem, directory)) {
        gapsMs.push(performance.now() - lastAt)
        lastAt = performance.now()
      } else {
        failures++
      }
    }
  })()
  return {
    async stop() {
      running = false
      await loop
      server.close()
      return { gapsMs, failures }
    },
  }
}

function handshake(server: Server, ca: string, directory: string): Promise<boolean> {
  const { port } = server.address() as AddressInfo
  return new Promise((resolve) => {
    // One read after the other, as Go's tls.LoadX509KeyPair does.
    const cert = readFileSync(join(directory, 'etcd-cert'))
    const key = readFileSync(join(directory, 'etcd-key'))
    try {
      const socket = connect({ host: '127.0.0.1', port, ca, cert, key })
      socket.once('data', () => {
        resolve(true)
        socket.destroy()
      })
      socket.once('error', () => resolve(false))
      socket.once('close', () => resolve(false))
    } catch {
      // The pair does not belong together.
      resolve(false)
    }
  })
}
