/**
 * Owns which address of Vault is asked: which of several comes first, which failures are no reason to ask the next one, and where a
 * redirect leads.
 */
import { createHash } from 'node:crypto'
import type { VaultAddress } from '../config/vault.ts'
import type { Clock } from '../core/clock.ts'
import { AgentError } from '../core/errors.ts'
import type { ReasonCode } from '../core/reason-catalog.ts'
import type { Answer } from './failure.ts'

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

/** So a node whose own address is a black hole pays for that with at most one slow request an hour. */
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

/** The error if no address helped: every failure, under the code of the address that was tried first. */
export function joined(failures: readonly AgentError[]): AgentError {
  const [first] = failures
  if (first === undefined) throw new Error('no address has failed')
  if (failures.length === 1) return first
  const { code, retryAfterMs } = first
  const text = failures.map(({ message }) => message).join('; ')
  return new AgentError(code, text, { cause: first, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) })
}

/** A path at an origin. */
export interface Place {
  readonly origin: string
  /** Absolute, with `/v1/` and the query. */
  readonly path: string
}

/**
 * Where a redirect leads: a standby that does not forward answers 307 with the address of the active node. Another host gets the
 * credentials only if it is verified as Vault itself is, that is by https and a CA that was configured for Vault. It must also be
 * the same request, as it is with a standby.
 * @returns where to ask next, why not, or undefined if the answer is no redirect
 */
export function planRedirect(
  { status, headers }: Pick<Answer, 'status' | 'headers'>,
  asked: Place,
  { redirects, caPem, caFile, caDirectory }: Pick<VaultAddress, 'redirects' | 'caPem' | 'caFile' | 'caDirectory'>,
): Place | string | undefined {
  if (status !== 307) return undefined
  const { location } = headers
  if (typeof location !== 'string' || !URL.canParse(location, asked.origin)) return 'it names no address'
  const url = new URL(location, asked.origin)
  const place = { origin: url.origin, path: url.pathname + url.search }
  const to = `to ${url.origin} is not followed`
  if (!redirects) return `${to}: VAULT_DISABLE_REDIRECTS is set`
  if (place.origin === asked.origin) return place
  if (!asked.origin.startsWith('https:') || url.protocol !== 'https:') return `${to}: both must be https`
  if (url.username !== '' || url.password !== '') return `${to}: it names a user`
  if ((caPem ?? caFile ?? caDirectory) === undefined) return `${to}: VAULT_CACERT must name the CA of both`
  return place.path === asked.path ? place : `${to}: it is for another path`
}
