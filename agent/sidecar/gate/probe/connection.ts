/**
 * Owns one TLS connection to an etcd member with the candidate: its certificate and key from memory, the member verified as
 * Calico's client would do it (Go), with nothing but the CA set that would be published.
 */
import { isIP } from 'node:net'
import { checkServerIdentity, connect, type PeerCertificate, type TLSSocket } from 'node:tls'

/** PEM texts. */
export interface Identity {
  readonly certificate: string
  readonly key: string
  readonly ca: string
}

/** The member speaks TLS, but no HTTP/2. */
export class NotEtcdError extends Error {}

/** A server without session tickets sends nothing before it is asked. */
const longestTicketMs = 250

/**
 * Resolves when the member has accepted the certificate, as far as TLS can tell. Rejects with the error of the socket, or that
 * of `signal`.
 */
export async function openConnection(endpoint: string, identity: Identity, signal: AbortSignal): Promise<TLSSocket> {
  const { hostname, port } = new URL(endpoint)
  const host = hostname.replace(/^\[|\]$/g, '')
  const socket = connect({
    host,
    port: Number(port || 443),
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ca: identity.ca,
    cert: identity.certificate,
    key: identity.key,
    ALPNProtocols: ['h2'],
    minVersion: 'TLSv1.2',
    rejectUnauthorized: true,
    // As in Go's x509, any certificate of the set ends a chain, self-signed or not.
    allowPartialTrustChain: true,
    checkServerIdentity: requireName,
  })
  const destroy = (): void => void socket.destroy(signal.reason as Error)
  signal.addEventListener('abort', destroy)
  socket.once('close', () => signal.removeEventListener('abort', destroy))
  if (signal.aborted) destroy()
  await accepted(socket)
  return socket
}

/**
 * In TLS 1.3 the client is done before the server has looked at its certificate, and a refusal comes later. What we sent by
 * then would make the server's end of the connection a reset, which may overtake the alert that says why. So nothing is sent
 * before the server's first message, the session ticket: Go sends it once it has accepted the certificate.
 */
function accepted(socket: TLSSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined
    let failure: Error | undefined
    socket.on('error', (error) => {
      failure ??= error
    })
    socket.once('close', () => {
      clearTimeout(timer)
      reject(failure ?? new NotEtcdError('the connection was closed after the TLS handshake'))
    })
    socket.once('secureConnect', () => {
      if (socket.alpnProtocol !== 'h2') {
        socket.destroy(new NotEtcdError('it speaks no HTTP/2'))
      } else if (socket.getProtocol() === 'TLSv1.3') {
        socket.once('session', resolve)
        timer = setTimeout(resolve, longestTicketMs)
      } else {
        resolve()
      }
    })
  })
}

/** Go takes no name from the subject. */
function requireName(host: string, certificate: PeerCertificate): Error | undefined {
  if (certificate.subjectaltname !== undefined) return checkServerIdentity(host, certificate)
  const error = new Error(`the certificate has no subject alternative names, ${host} is wanted`)
  return Object.assign(error, { code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
}
