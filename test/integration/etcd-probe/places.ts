/** Owns what the tests of the probe share: questions, and servers that are not etcd. */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import type { Finding } from '../../../agent/sidecar/gate/probe/outcome.ts'
import { askEtcd } from '../../../agent/sidecar/gate/probe/probe.ts'

export interface Asker {
  readonly cert: string
  readonly key: string
  readonly ca: string
}

export async function ask(
  endpoints: readonly string[],
  { cert, key, ca }: Asker,
  user: string,
  timeoutMs = 4000,
): Promise<Finding> {
  const stop = new AbortController().signal
  return await askEtcd({ endpoints, identity: { certificate: cert, key, ca }, user, timeoutMs, stop })
}

/** Makes the server listen on a port of loopback until the test ends; answers with its endpoint. */
export async function listen(server: Server): Promise<string> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Accepts connections and says nothing. */
export const blackHole = (): Promise<string> => listen(createServer(() => {}))
