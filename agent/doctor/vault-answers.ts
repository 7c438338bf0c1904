/** Owns the shapes of the answers of Vault that only `doctor` asks for. */
import { AgentError } from '../errors.ts'

export interface SealStatus {
  readonly initialized: boolean
  readonly sealed: boolean
  readonly version: string
  readonly cluster: string | undefined
}

/** `sys/seal-status`, which a sealed Vault answers too. */
export function readSealStatus(body: unknown, where: string): SealStatus {
  const { initialized, sealed, version, cluster_name: cluster } = fields(body, where)
  if (typeof sealed !== 'boolean' || typeof initialized !== 'boolean') throw bad(where, 'sealed is not a boolean')
  return {
    initialized,
    sealed,
    version: typeof version === 'string' ? version : 'unknown',
    cluster: typeof cluster === 'string' ? cluster : undefined,
  }
}

/** `sys/capabilities-self`: the capabilities at a path. */
export function readCapabilities(body: unknown, path: string, where: string): readonly string[] {
  const found = fields(fields(body, where)['data'], where)[path]
  if (!Array.isArray(found) || !found.every((each) => typeof each === 'string')) throw bad(where, `no ${path}`)
  return found
}

function fields(value: unknown, where: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw bad(where, 'it is not an object')
}

function bad(where: string, what: string): AgentError {
  return new AgentError('vault-bad-answer', `${where}: ${what}`)
}
