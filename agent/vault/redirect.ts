/** Owns where a redirect of Vault leads: a standby that does not forward answers 307 with the active node's address. Pure. */
import type { VaultAddress } from '../config/vault.ts'
import type { Answer } from './failure.ts'

/** A path at an origin. */
export interface Place {
  readonly origin: string
  /** Absolute, with `/v1/` and the query. */
  readonly path: string
}

/**
 * Another host is told the credentials only if it is verified as Vault itself is: https, and a CA that was configured for
 * Vault. It must be asked the same, as standbys do.
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
