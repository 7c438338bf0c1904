/**
 * Owns the way to Vault through a proxy: who is reached without one, and a tunnel (CONNECT) in which the TLS to Vault is the
 * same as without it. A bundle of its own in dist/, loaded only if a proxy is configured.
 */
import { once } from 'node:events'
import { BlockList, connect, isIP, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import type { Proxies, Proxy } from '../config/proxy.ts'

/** The system code of what a proxy gets wrong (failure.ts). */
const proxyCode = 'ERR_PROXY'

/** As golang.org/x/net/http/httpproxy decides. */
export function proxyFor(origin: string, { https, http, except }: Proxies): Proxy | undefined {
  const url = new URL(origin)
  const proxy = url.protocol === 'https:' ? https : http
  if (proxy === undefined || except === undefined) return proxy
  const host = hostOf(url)
  const port = portOf(url)
  if (host === 'localhost' || isLoopback(host)) return undefined
  return except.some((each) => isExcepted(each, host, port)) ? undefined : proxy
}

/** One part of NO_PROXY: `*`, an address, a network, a name with all below it (`.name`: only those), each with a port or without. */
function isExcepted(part: string, host: string, port: string): boolean {
  if (part === '*') return true
  const network = /^([0-9a-f.:]+)\/(\d{1,3})$/.exec(part)
  if (network !== null) return isInNetwork(host, network[1] ?? '', Number(network[2]))
  const [, name = part, onlyPort] = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(part) ?? []
  if (onlyPort !== undefined && onlyPort !== port) return false
  const wanted = name.replace(/^\[|\]$/g, '').replace(/^\*\./, '.')
  if (isIP(host) !== 0) return isInNetwork(host, wanted, bitsOf(wanted))
  return wanted.startsWith('.') ? host.endsWith(wanted) : host === wanted || host.endsWith(`.${wanted}`)
}

const bitsOf = (address: string): number => (isIP(address) === 6 ? 128 : 32)
const familyOf = (address: string): 'ipv4' | 'ipv6' => (isIP(address) === 6 ? 'ipv6' : 'ipv4')

function isInNetwork(host: string, network: string, bits: number): boolean {
  if (isIP(host) === 0 || isIP(network) === 0 || bits > bitsOf(network)) return false
  const list = new BlockList()
  list.addSubnet(network, bits, familyOf(network))
  return list.check(host, familyOf(host))
}

const isLoopback = (host: string): boolean => isInNetwork(host, '127.0.0.0', 8) || host === '::1'

const hostOf = (url: URL): string => url.hostname.replace(/^\[|\]$/g, '')
const portOf = ({ port, protocol }: URL): string => port || (protocol === 'https:' ? '443' : '80')

export interface WayOptions {
  readonly proxies: Proxies
  /** Of TLS to Vault. A proxy of the scheme https is verified with the same CAs, and gets no client certificate. */
  readonly tls: ConnectionOptions
  readonly timeoutMs: number
}

/** A connection to Vault itself, with its TLS inside of the tunnel. @throws Error with `proxyCode`, or the system's error */
export async function connectThrough(origin: string, options: WayOptions): Promise<Socket> {
  const url = new URL(origin)
  const socket = await openWay(url, options)
  if (url.protocol === 'http:') return socket
  const host = hostOf(url)
  const { tls, timeoutMs } = options
  const name = tls.servername ?? (isIP(host) === 0 ? host : '')
  const secured = connectTls({ ...tls, socket, host, servername: name, ALPNProtocols: ['http/1.1'] })
  return await opened(secured, 'secureConnect', timeoutMs)
}

/** To be secured: TCP to Vault, or a tunnel. */
export async function openWay(url: URL, { proxies, tls, timeoutMs }: WayOptions): Promise<Socket> {
  const proxy = proxyFor(url.origin, proxies)
  if (proxy === undefined) return await opened(connect(Number(portOf(url)), hostOf(url)), 'connect', timeoutMs)
  try {
    const socket = await openProxy(proxy, tls.ca, timeoutMs)
    await tunnel(socket, proxy, `${url.hostname}:${portOf(url)}`, timeoutMs)
    return socket
  } catch (cause) {
    throw cause instanceof ProxyError ? cause : new ProxyError(proxy, String(cause), { cause })
  }
}

/** What the proxy itself got wrong. Told by its code: the bundle that translates it has classes of its own. */
class ProxyError extends Error {
  readonly code = proxyCode

  constructor({ origin }: Proxy, what: string, options?: ErrorOptions) {
    super(`proxy ${origin} ${what}`, options)
  }
}

async function openProxy({ origin }: Proxy, ca: ConnectionOptions['ca'], timeoutMs: number): Promise<Socket> {
  const url = new URL(origin)
  const [host, port] = [hostOf(url), Number(portOf(url))]
  if (url.protocol === 'http:') return await opened(connect(port, host), 'connect', timeoutMs)
  const name = isIP(host) === 0 ? { servername: host } : {}
  const tls = { minVersion: 'TLSv1.2', rejectUnauthorized: true, ...name, ...(ca === undefined ? {} : { ca }) } as const
  return await opened(connectTls({ host, port, ...tls }), 'secureConnect', timeoutMs)
}

async function opened(socket: Socket, event: 'connect' | 'secureConnect', timeoutMs: number): Promise<Socket> {
  const timer = setTimeout(() => socket.destroy(new Error(`no connection within ${timeoutMs} ms`)), timeoutMs)
  try {
    await once(socket, event)
    return socket
  } finally {
    clearTimeout(timer)
  }
}

const mostHeadBytes = 16_384

/** Asks for the tunnel (RFC 9110, 9.3.6). Afterwards every byte belongs to Vault. */
async function tunnel(socket: Socket, proxy: Proxy, target: string, timeoutMs: number): Promise<void> {
  const { authorization } = proxy
  const credentials = authorization === undefined ? '' : `Proxy-Authorization: ${authorization.reveal()}\r\n`
  socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n${credentials}\r\n`)
  const head = await readHead(socket, timeoutMs)
  const [, status, text = ''] = /^HTTP\/1\.[01] (\d{3})(?: ([\x20-\x7e]*))?\r\n/.exec(head) ?? []
  if (status?.startsWith('2')) return
  socket.destroy()
  const answer = status === undefined ? 'it does not speak HTTP/1.1' : `${status} ${text}`.trim()
  throw new ProxyError(proxy, `opens no way to ${target}: ${answer.slice(0, 200)}`)
}

async function readHead(socket: Socket, timeoutMs: number): Promise<string> {
  return await new Promise((resolve, reject) => {
    let head = Buffer.alloc(0)
    const end = (error: Error | undefined): void => {
      clearTimeout(timer)
      socket.off('data', take).off('error', end).off('close', lost).pause()
      if (error === undefined) return resolve(head.toString('latin1'))
      socket.destroy()
      return reject(error)
    }
    const lost = (): void => end(new Error('it closed the connection'))
    const timer = setTimeout(() => end(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs)
    function take(chunk: Buffer): void {
      head = Buffer.concat([head, chunk])
      const length = head.indexOf('\r\n\r\n') + 4
      if (head.length > mostHeadBytes) return end(new Error('its answer has no end'))
      if (length === 3) return
      // What follows the head would be Vault's, which has not been asked anything yet.
      if (head.length > length && head[9] === 0x32) return end(new Error('it says more than it was asked'))
      end(undefined)
    }
    socket.on('data', take).once('error', end).once('close', lost)
  })
}
