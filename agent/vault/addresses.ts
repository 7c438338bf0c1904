/** Owns which of several addresses of Vault is asked first, and what is no reason to ask the next one. */
import { createHash } from 'node:crypto'
import { AgentError } from '../core/errors.ts'
import type { ReasonCode } from '../core/reason-catalog.ts'

/** Failures of one way to Vault, or of one node of its cluster. Everything else would be the same at every address. */
const elsewhere: ReadonlySet<ReasonCode> = new Set([
  'vault-name-unresolved',
  'vault-unreachable',
  'vault-connection-lost',
  'vault-timeout',
  'vault-tls',
  'vault-sealed',
  'vault-standby',
  'vault-redirect',
  'vault-proxy',
])

export function mayHelpElsewhere(error: unknown): error is AgentError {
  return error instanceof AgentError && elsewhere.has(error.code)
}

/** Every address once, beginning with `first`. */
export function orderFrom(origins: readonly string[], first: string): readonly string[] {
  const index = Math.max(0, origins.indexOf(first))
  return [...origins.slice(index), ...origins.slice(0, index)]
}

/** Where a node begins: each has its own place, the same after every restart, so that a fleet asks all of them alike. */
export function firstFor(origins: readonly string[], cluster: string, node: string): string {
  if (origins.length < 2) return origins[0] ?? ''
  const hash = createHash('sha256')
    .update(JSON.stringify([cluster, node]))
    .digest()
  return origins[hash.readUIntBE(0, 6) % origins.length] ?? ''
}

/** What is told where no address helped: every failure, under the code of the address that was tried first. */
export function joined(failures: readonly AgentError[]): AgentError {
  const [first] = failures
  if (first === undefined) throw new Error('no address has failed')
  if (failures.length === 1) return first
  const { code, retryAfterMs } = first
  const text = failures.map(({ message }) => message).join('; ')
  return new AgentError(code, text, { cause: first, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) })
}
