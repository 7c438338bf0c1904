/** Owns Vault as an administrator sees it: reads and writes with one token, over the same transport as the agent's. */
import type { SetupVaultConfig } from '../../config/vault.ts'
import { systemClock } from '../../core/clock.ts'
import { AgentError } from '../../core/errors.ts'
import { asObject, field } from '../../core/json.ts'
import { createVaultCalls, tokenHeader } from '../../vault/client.ts'
import { createSkewMeter } from '../../vault/skew.ts'
import { createTransport } from '../../vault/transport.ts'
import type { Fields } from './setup.ts'

/** Every call throws AgentError. */
export interface VaultAdmin {
  /** `data` of the answer; undefined if there is nothing at this path. */
  read(path: string): Promise<Fields | undefined>
  write(path: string, body: Fields): Promise<Fields | undefined>
}

export interface OpenVaultAdmin extends VaultAdmin {
  delete(path: string): Promise<void>
  close(): void
}

export function openVaultAdmin({ vault, token }: SetupVaultConfig): OpenVaultAdmin {
  const transport = createTransport({
    address: vault,
    clock: systemClock,
    skew: createSkewMeter(systemClock, () => {}),
    emit: () => {},
  })
  const calls = createVaultCalls(transport, vault.namespace)
  // One connection for all requests of the command.
  const release = transport.hold()
  const headers = tokenHeader(token)
  return {
    async read(path) {
      try {
        return dataOf(await calls.get('setup', path, headers))
      } catch (error) {
        if (error instanceof AgentError && error.code === 'vault-not-found') return undefined
        throw error
      }
    },
    async write(path, body) {
      return dataOf(await calls.post('setup', path, body, headers))
    },
    async delete(path) {
      await calls.remove('setup', path, headers)
    },
    close() {
      release()
      transport.destroy()
    },
  }
}

function dataOf(body: unknown): Fields | undefined {
  return asObject(field(body, 'data'))
}

/** The names at a path. */
export async function listAt(api: VaultAdmin, path: string): Promise<string[]> {
  const keys = (await api.read(`${path}?list=true`))?.['keys']
  return Array.isArray(keys) ? keys.filter((each) => typeof each === 'string') : []
}

/** A field of an answer that may not be there. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
