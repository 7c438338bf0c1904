/**
 * Owns what is known of Vault's clock, and from it the clocks by which certificates are judged. Only what Vault itself has
 * written into an answer counts: the dates of a certificate that it has just signed, the end of a token, that it has accepted a
 * credential. A header may have been written by anything on the way. See docs/adr/0006.
 */
import type { Clock, SaneClocks } from '../core/clock.ts'
import type { Validity } from '../pki/certificate.ts'
import type { VaultListener } from './vault-event.ts'

/** Vault's clock showed a time between these when it answered, in milliseconds since the epoch. */
export interface Evidence {
  readonly earliestMs: number
  readonly latestMs: number
}

export interface SkewMeter {
  /**
   * To be called before Vault is asked.
   * @returns takes what the answer says of Vault's clock
   */
  readonly asking: () => (evidence: Evidence | undefined) => void
  /** Vault's clock minus ours in milliseconds, 0 if ours agrees with all that is known; undefined until something is known. */
  readonly measured: () => number | undefined
  /** The time by which renewals are planned: Vault's, as far as it is known to differ from ours. */
  readonly now: () => number
  /** A certificate is refused only if it is invalid by all of these. */
  readonly clocks: () => SaneClocks
}

/** A wall clock that moved this much against the monotonic clock has been set, or the machine has slept. */
const jumpMs = 2000

/** Milliseconds of Vault's clock minus the monotonic clock, which stands for it until something newer is known. */
interface Measurement {
  readonly earliest: number
  readonly latest: number
  /** Our wall clock minus the monotonic clock at that time. */
  readonly wall: number
}

export function createSkewMeter(clock: Clock, emit: VaultListener): SkewMeter {
  let known: Measurement | undefined

  function take(evidence: Evidence, askedAt: number): void {
    const answeredAt = clock.monotonic()
    const found = {
      earliest: evidence.earliestMs - answeredAt,
      // Vault may have looked at its clock at any moment of a long wait.
      latest: evidence.latestMs - askedAt,
      wall: clock.now() - answeredAt,
    }
    // A date beyond all dates says nothing.
    if (!(found.earliest <= found.latest)) return
    known = known === undefined || !saysLess(found, known) ? found : confirmed(known, found)
    emit({ type: 'clock-skew', skewMs: vaultMs() - clock.now() })
  }

  /** The time nearest to ours that Vault's clock may show. */
  function vaultMs(): number {
    const [nowMs, monotonic] = [clock.now(), clock.monotonic()]
    if (known === undefined) return nowMs
    return Math.min(Math.max(nowMs, known.earliest + monotonic), known.latest + monotonic)
  }

  function hasJumped(): boolean {
    return known !== undefined && Math.abs(clock.now() - clock.monotonic() - known.wall) > jumpMs
  }

  return {
    asking: () => {
      const askedAt = clock.monotonic()
      return (evidence) => {
        if (evidence !== undefined) take(evidence, askedAt)
      }
    },
    measured: () => (known === undefined ? undefined : vaultMs() - clock.now()),
    // The monotonic clock stands still while a machine sleeps: after a jump the later of both is planned by. If that was
    // wrong, a certificate is renewed early, once; its dates then say what time it is.
    now: () => (hasJumped() ? Math.max(vaultMs(), clock.now()) : vaultMs()),
    clocks: () => {
      const both = [clock.now(), vaultMs()]
      return { earliestMs: Math.min(...both), latestMs: Math.max(...both) }
    },
  }
}

/** Something newer counts if it contradicts what is known. It does not if it agrees and is only less exact. */
function saysLess(found: Measurement, known: Measurement): boolean {
  return overlap(found, known) && found.latest - found.earliest > known.latest - known.earliest
}

/**
 * What is known after an answer that agrees with it. After a jump of the wall clock, the answer shows that the clock was set only if it
 * would not agree with a machine that has slept. If it agrees with both (a token that lives for a year), it settles nothing.
 */
function confirmed(known: Measurement, found: Measurement): Measurement {
  const jump = found.wall - known.wall
  const slept = { ...known, earliest: known.earliest + jump, latest: known.latest + jump }
  return Math.abs(jump) > jumpMs && overlap(found, slept) ? known : { ...known, wall: found.wall }
}

function overlap(one: Measurement, other: Measurement): boolean {
  return one.earliest <= other.latest && other.earliest <= one.latest
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
