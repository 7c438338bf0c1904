/** Owns the shapes of the answers of Vault that only `doctor` asks for. */
import { AgentError } from '../../core/errors.ts'
import { asObject, type JsonObject } from '../../core/json.ts'
import type { Evidence } from '../../vault/skew.ts'

export interface SealStatus {
  readonly initialized: boolean
  readonly sealed: boolean
  readonly version: string
  readonly cluster: string | undefined
  readonly clusterId: string | undefined
}

/** `sys/seal-status`, which a sealed Vault answers too. */
export function readSealStatus(body: unknown, where: string): SealStatus {
  const { initialized, sealed, version, cluster_name: cluster, cluster_id: clusterId } = fields(body, where)
  if (typeof sealed !== 'boolean' || typeof initialized !== 'boolean') throw bad(where, 'sealed is not a boolean')
  return {
    initialized,
    sealed,
    version: typeof version === 'string' ? version : 'unknown',
    cluster: typeof cluster === 'string' ? cluster : undefined,
    clusterId: typeof clusterId === 'string' ? clusterId : undefined,
  }
}

/** `sys/health`: Vault's clock, in whole seconds. */
export function readServerTime(body: unknown, where: string): Evidence {
  const { server_time_utc: seconds } = fields(body, where)
  if (typeof seconds !== 'number') throw bad(where, 'server_time_utc is not a number')
  return { earliestMs: seconds * 1000, latestMs: seconds * 1000 + 1000 }
}

/** `sys/capabilities-self`: the capabilities at a path. */
export function readCapabilities(body: unknown, path: string, where: string): readonly string[] {
  const found = fields(fields(body, where)['data'], where)[path]
  if (!Array.isArray(found) || !found.every((each) => typeof each === 'string')) throw bad(where, `no ${path}`)
  return found
}

function fields(value: unknown, where: string): JsonObject {
  const object = asObject(value)
  if (object === undefined) throw bad(where, 'it is not an object')
  return object
}

function bad(where: string, what: string): AgentError {
  return new AgentError('vault-bad-answer', `${where}: ${what}`)
}
