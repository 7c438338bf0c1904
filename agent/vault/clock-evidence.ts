/** Owns what Vault's answers say of its clock: between which moments it stood when it gave them. Pure. */
import type { Validity } from '../pki/certificate.ts'

/** Vault's clock showed a time between these when it answered, in milliseconds since the epoch. */
export interface Evidence {
  readonly earliestMs: number
  readonly latestMs: number
}

/** Times in certificates and in Vault's answers are cut to whole seconds. */
const secondMs = 1000

/** Vault's default `not_before_duration`. */
const backdatingMs = 30_000

/**
 * A certificate that Vault has just signed begins `not_before_duration` before that moment, and ends the asked lifetime after
 * it unless the role or the issuer allows less. If both ends, taken by Vault's defaults, name the same moment, it is the one.
 * Otherwise the role backdates by something else, or the lifetime was cut, or both, which nobody can tell apart: it was signed after
 * its begin and before its end.
 * @param ttlSeconds what was asked for
 */
export function signedEvidence({ notBeforeMs, notAfterMs }: Validity, ttlSeconds: number): Evidence {
  const byBegin = notBeforeMs + Math.min(backdatingMs, notAfterMs - notBeforeMs)
  const byEnd = notAfterMs - ttlSeconds * 1000
  if (Math.abs(byBegin - byEnd) > 2 * secondMs) return { earliestMs: notBeforeMs, latestMs: notAfterMs }
  return { earliestMs: Math.min(byBegin, byEnd), latestMs: Math.max(byBegin, byEnd) + secondMs }
}

/** When a token ends and how many seconds it has until then, as `auth/token/lookup-self` says both. */
export function lookupEvidence(expiresAtMs: number | undefined, ttlSeconds: number): Evidence | undefined {
  if (expiresAtMs === undefined || ttlSeconds === 0) return undefined
  const atMs = expiresAtMs - ttlSeconds * 1000
  return { earliestMs: atMs - secondMs, latestMs: atMs + secondMs }
}

/** What Vault and the Kubernetes API allow clocks to differ by at most when they check a token. */
const leewayMs = 150_000

/** A service-account token that was accepted had begun and had not ended. */
export function loginEvidence(beginsAtMs: number | undefined, expiresAtMs: number | undefined): Evidence | undefined {
  if (beginsAtMs === undefined || expiresAtMs === undefined) return undefined
  return { earliestMs: beginsAtMs - leewayMs, latestMs: expiresAtMs + leewayMs }
}
