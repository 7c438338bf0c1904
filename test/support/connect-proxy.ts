/** Owns an HTTP proxy that opens tunnels (CONNECT) to wherever it is asked, goes away, and comes back on the same port. */
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import type { Duplex } from 'node:stream'

export interface ConnectProxy {
  /** `http://127.0.0.1:PORT`, the same all the time. */
  readonly origin: string
  /** What a tunnel was asked for to, such as `vault.test:8200`. */
  readonly asked: readonly string[]
  /** Nobody listens on the port any more; its tunnels end. */
  close(): Promise<void>
  open(): Promise<void>
}

export async function startConnectProxy(): Promise<ConnectProxy> {
  const tunnels = new Set<Duplex>()
  const asked: string[] = []
  let server: Server | undefined
  let port = 0

  function lead({ url = '' }: IncomingMessage, client: Duplex): void {
    asked.push(url)
    const { hostname, port: to } = new URL(`http://${url}`)
    const upstream = connect(Number(to), hostname, () => client.write('HTTP/1.1 200 OK\r\n\r\n'))
    for (const [end, other] of [[client, upstream] as const, [upstream, client] as const]) {
      tunnels.add(end)
      end.on('error', () => {})
      end.on('close', () => {
        tunnels.delete(end)
        other.destroy()
      })
    }
    client.pipe(upstream).pipe(client)
  }

  const proxy: ConnectProxy = {
    get origin() {
      return `http://127.0.0.1:${port}`
    },
    asked,
    async close() {
      const closing = server
      server = undefined
      for (const tunnel of tunnels) tunnel.destroy()
      await new Promise<void>((resolve) => (closing === undefined ? resolve() : closing.close(() => resolve())))
    },
    async open() {
      const opened = createServer().on('connect', lead)
      await new Promise<void>((resolve, reject) => {
        opened.once('error', reject)
        opened.listen(port, '127.0.0.1', resolve)
      })
      port = (opened.address() as AddressInfo).port
      server = opened
    },
  }
  await proxy.open()
  return proxy
}
