/** Owns which of several addresses of Vault is asked first, and what is no reason to ask the next one. */
import { createHash } from 'node:crypto'
import type { Clock } from '../core/clock.ts'
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

export interface AddressChoice {
  /** Every address once, in the order in which the next request asks them. */
  order(): readonly string[]
  /** @returns whether that is news */
  answered(origin: string): boolean
}

/** One slow request an hour is what a node pays at most while its own address is a black hole. */
const homeAfterMs = 3_600_000

/**
 * The address that answered last is asked first. After an hour elsewhere a node asks its own one again: if nobody went back,
 * each outage of one address would leave the fleet on the others until its agents are restarted.
 */
export function createAddressChoice(
  origins: readonly string[],
  home: string,
  clock: Pick<Clock, 'monotonic'>,
): AddressChoice {
  let current = home
  /** Whether it is known to answer. */
  let isKnown = false
  let homeAtMono = 0
  return {
    order() {
      if (current === home || clock.monotonic() < homeAtMono) return orderFrom(origins, current)
      homeAtMono = clock.monotonic() + homeAfterMs
      return [home, ...orderFrom(origins, current).filter((origin) => origin !== home)]
    },
    answered(origin) {
      if (isKnown && origin === current) return false
      if (current === home) homeAtMono = clock.monotonic() + homeAfterMs
      current = origin
      isKnown = true
      return true
    },
  }
}

/** Where a node begins: each has its own place, the same after every restart, so that a fleet asks all of them alike. */
export function firstFor(origins: readonly string[], cluster: string, node: string): string {
  if (origins.length < 2) return origins[0] ?? ''
  const hash = createHash('sha256')
    .update(JSON.stringify([cluster, node]))
    .digest()
  return origins[hash.readUIntBE(0, 6) % origins.length] ?? ''
}

/** What is told if no address helped: every failure, under the code of the address that was tried first. */
export function joined(failures: readonly AgentError[]): AgentError {
  const [first] = failures
  if (first === undefined) throw new Error('no address has failed')
  if (failures.length === 1) return first
  const { code, retryAfterMs } = first
  const text = failures.map(({ message }) => message).join('; ')
  return new AgentError(code, text, { cause: first, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) })
}
