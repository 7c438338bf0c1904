/** Owns looking at a TLS server: whether it is accepted as the agent would, and the chain that it shows either way. */
import type { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { connect, type TLSSocket } from 'node:tls'
import type { Proxies } from '../../config/proxy.ts'
import { AgentError } from '../../core/errors.ts'
import { tlsOptions } from '../../vault/connections.ts'
import { translateConnectionError } from '../../vault/failure.ts'
import { openWay } from '../../vault/proxy.ts'
import type { TlsMaterial } from '../../vault/tls-files.ts'

export interface ServerView {
  readonly protocol: string
  /** As it was shown, the leaf first. */
  readonly chain: readonly X509Certificate[]
  /** Why it is not accepted. */
  readonly failure: AgentError | undefined
}

/** @throws AgentError if there is no TLS server at all */
export async function readServerView(
  origin: string,
  material: TlsMaterial,
  timeoutMs: number,
  proxies?: Proxies,
): Promise<ServerView> {
  const tls = tlsOptions(material)
  const open = () => proxies && openWay(new URL(origin), { proxies, tls, timeoutMs })
  try {
    return await handshake(origin, material, timeoutMs, true, await open())
  } catch (error) {
    const failure = translateConnectionError(error, origin, timeoutMs)
    if (!(failure instanceof AgentError) || failure.code !== 'vault-tls') throw failure
    const bare = { ca: undefined, cert: undefined, key: undefined, servername: material.servername }
    // Only to show what stands there: nothing is sent over it, and no certificate of ours.
    const shown = await handshake(origin, bare, timeoutMs, false, await open()).catch(() => undefined)
    return { protocol: '', chain: shown?.chain ?? [], failure }
  }
}

/** @param way a connection through a proxy; otherwise one is made */
async function handshake(
  origin: string,
  material: TlsMaterial,
  timeoutMs: number,
  isVerified: boolean,
  way: Socket | undefined,
): Promise<ServerView> {
  const { hostname, port } = new URL(origin)
  const host = hostname.replace(/^\[|\]$/g, '')
  const socket = connect({
    host,
    port: Number(port || 443),
    ...(way === undefined ? {} : { socket: way }),
    ...tlsOptions(material),
    // Undici names the server by default, node:tls only if it is told to.
    servername: material.servername ?? (/^[\d.]+$|:/.test(host) ? '' : host),
    rejectUnauthorized: isVerified,
  })
  socket.setTimeout(timeoutMs, () => socket.destroy(Object.assign(new Error('no answer'), { name: 'TimeoutError' })))
  try {
    await once(socket, 'secureConnect')
    return { protocol: socket.getProtocol() ?? '', chain: chainOf(socket), failure: undefined }
  } finally {
    socket.destroy()
  }
}

/** Not `getPeerCertificate`: it reads public keys, and a server may show what it likes. */
function chainOf(socket: TLSSocket): X509Certificate[] {
  const chain: X509Certificate[] = []
  const seen = new Set<string>()
  for (
    let each = socket.getPeerX509Certificate();
    each !== undefined && !seen.has(each.fingerprint256);
    each = each.issuerCertificate
  ) {
    seen.add(each.fingerprint256)
    chain.push(each)
  }
  return chain
}
