/**
 * Owns the connection to etcd across renewals of its certificate: a changed certificate is tried on a second connection, which
 * takes over once etcd answers it; the first one ends when the last call on it has. A new one that fails changes nothing.
 */
import type { EtcdAddress } from '../../config/etcd.ts'
import { AgentError } from '../../core/errors.ts'
import type { Listener } from '../../sidecar/observe/events.ts'
import type { EtcdAuthApi } from '../etcd/api.ts'

export interface EtcdConnection {
  /** Runs the work with the newest certificate that etcd accepts. @throws AgentError if there is none yet */
  use<Result>(work: (api: EtcdAuthApi) => Promise<Result>): Promise<Result>
  close(): void
}

export interface EtcdConnectionOptions {
  /** The files as they are now. @throws AgentError `file-invalid` */
  readonly read: () => EtcdAddress
  readonly open: (address: EtcdAddress) => EtcdAuthApi & { close(): void }
  readonly emit: Listener
}

interface Lease {
  readonly api: EtcdAuthApi & { close(): void }
  readonly identity: string
  users: number
}

export function createEtcdConnection({ read, open, emit }: EtcdConnectionOptions): EtcdConnection {
  let current: Lease | undefined
  let refreshing: Promise<void> | undefined

  async function refresh(): Promise<void> {
    try {
      const address = read()
      const identity = [address.ca, address.cert, address.key.reveal()].join('\n')
      if (current?.identity === identity) return
      const api = open(address)
      try {
        // Any answer: that the handshake succeeds is what a new certificate must show.
        if (current !== undefined) await api.authStatus()
      } catch (error) {
        api.close()
        throw error
      }
      const before = current
      current = { api, identity, users: 0 }
      if (before?.users === 0) before.api.close()
      emit({ type: 'provision-identity', user: address.operator, isFirst: before === undefined })
    } catch (error) {
      if (!(error instanceof AgentError) || current === undefined) throw error
      emit({ type: 'provision-identity-refused', reason: error.code, detail: error.message })
    }
  }

  return {
    async use(work) {
      refreshing ??= refresh().finally(() => {
        refreshing = undefined
      })
      await refreshing
      const lease = current
      if (lease === undefined) throw new Error('refresh has left no connection')
      lease.users++
      try {
        return await work(lease.api)
      } finally {
        lease.users--
        if (lease !== current && lease.users === 0) lease.api.close()
      }
    },
    close: () => current?.api.close(),
  }
}
