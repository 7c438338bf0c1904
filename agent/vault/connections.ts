/** Owns the open connections to Vault: one undici client for each origin, all with the TLS files as they were for the first. */
import type { Socket } from 'node:net'
import type { SecureContextOptions } from 'node:tls'
import { type buildConnector, Client, type Dispatcher } from 'undici'
import type { VaultAddress } from '../config/vault.ts'
import { readTlsMaterial, type TlsMaterial } from './tls-files.ts'

export interface Connections {
  /** @throws AgentError for TLS files that are no use */
  to(origin: string): Dispatcher
  /** Ends them at once; the next one reads the TLS files again. */
  destroy(): void
}

const maxAnswerBytes = 1024 * 1024

export function createConnections(
  address: VaultAddress,
  beforeConnect: ((material: TlsMaterial) => void) | undefined,
): Connections {
  const clients = new Map<string, Dispatcher>()
  let material: TlsMaterial | undefined

  function readMaterial(): TlsMaterial {
    const read = readTlsMaterial(address)
    beforeConnect?.(read)
    return read
  }

  function open(origin: string): Dispatcher {
    material ??= readMaterial()
    return new Client(origin.startsWith('unix:') ? 'http://localhost' : origin, {
      allowH2: false,
      maxResponseSize: maxAnswerBytes,
      // The request's own deadline is the real one; these are only coarse.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: connectorTo(origin, material),
    })
  }

  function connectorTo(origin: string, tls: TlsMaterial): buildConnector.BuildOptions | buildConnector.connector {
    const { proxies, origins } = address
    // Undici lets a connection take its own time, whatever the request's signal says: the others must have theirs left.
    const timeoutMs = Math.ceil(address.timeoutMs / origins.length)
    if (origin.startsWith('unix:')) return { timeout: timeoutMs, socketPath: origin.slice('unix://'.length) }
    if (proxies === undefined) return { timeout: timeoutMs, ...tlsOptions(tls) }
    return async (_options, callback) => {
      let socket: Socket
      try {
        const { connectThrough } = await import('./proxy.ts')
        socket = await connectThrough(origin, { proxies, tls: tlsOptions(tls), timeoutMs })
      } catch (error) {
        return callback(error as Error, null)
      }
      return callback(null, socket)
    }
  }

  return {
    to(origin) {
      const client = clients.get(origin) ?? open(origin)
      clients.set(origin, client)
      return client
    },
    destroy() {
      // Not close(): that would wait for requests that nobody waits for any more.
      for (const client of clients.values()) client.destroy().catch(() => {})
      clients.clear()
      material = undefined
    },
  }
}

/** What node:tls is told: nothing if nothing is configured, so that its own defaults hold. */
export function tlsOptions({
  ca,
  cert,
  key,
  servername,
}: TlsMaterial): SecureContextOptions & { servername?: string; rejectUnauthorized: true } {
  return {
    minVersion: 'TLSv1.2',
    // Said here, NODE_TLS_REJECT_UNAUTHORIZED is not asked.
    rejectUnauthorized: true,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(servername === undefined ? {} : { servername }),
  }
}
