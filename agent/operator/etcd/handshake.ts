/** Owns one question to a member of etcd: does it let a client in that shows no certificate? */
import { connect } from 'node:tls'

const timeoutMs = 5000
/** RFC 9113, 3.4: the preface and an empty SETTINGS frame. The server's own SETTINGS is the answer. */
const preface = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
])

/**
 * In TLS 1.3 the client's side of the handshake is done before the server has looked for a certificate (RFC 8446, 2): only
 * data from the server says that it went on without one.
 */
export function demandsCertificate(endpoint: string, ca: string): Promise<boolean> {
  const { hostname, port } = new URL(endpoint)
  const host = hostname.replace(/^\[|\]$/g, '')
  return new Promise((resolve) => {
    const socket = connect({ host, port: Number(port), ca, rejectUnauthorized: true, ALPNProtocols: ['h2'] })
    const end = (demands: boolean): void => {
      resolve(demands)
      socket.destroy()
    }
    socket.setTimeout(timeoutMs, () => end(true))
    socket.on('secureConnect', () => socket.write(preface))
    socket.on('data', () => end(false))
    socket.on('error', () => end(true))
    socket.on('close', () => end(true))
  })
}
