/** Owns a TCP proxy in front of a server: connections pass through it untouched until the test cuts or stalls them. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface TcpFront {
  /** `https://127.0.0.1:PORT` */
  readonly url: string
  /** Connections that were taken since the start. */
  connections(): number
  /** Resets every connection. New ones are taken. */
  cut(): void
  /** While it refuses, connections are reset at once. */
  refuse(refuses: boolean): void
  stop(): Promise<void>
}

export async function startTcpFront(target: string): Promise<TcpFront> {
  const { hostname, port } = new URL(target)
  const sockets = new Set<Socket>()
  let refuses = false
  let count = 0
  const server = createServer((inside) => {
    count++
    if (refuses) return void inside.resetAndDestroy()
    const outside = connect(Number(port), hostname)
    for (const [one, other] of [
      [inside, outside],
      [outside, inside],
    ] as const) {
      sockets.add(one)
      one.on('error', () => other.destroy())
      one.on('close', () => {
        sockets.delete(one)
        other.destroy()
      })
      one.pipe(other)
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const cut = (): void => {
    for (const socket of sockets) socket.resetAndDestroy()
  }
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    connections: () => count,
    cut,
    refuse: (now) => {
      refuses = now
      if (now) cut()
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        cut()
      }),
  }
}
