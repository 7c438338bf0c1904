/**
 * Owns the seam between the rotation and wherever certificates come from. The rotation decides when; a source says what there
 * is. Every method throws AgentError if the source does not deliver; what is published is then kept.
 *
 * Sources that only read what somebody else makes need none of this themselves: see delivered.ts.
 */
import type { KeyObject, X509Certificate } from 'node:crypto'
import type { Target } from '../../config/config.ts'
import type { ReasonCode } from '../../core/reason-catalog.ts'
import type { Bundle } from '../../pki/bundle.ts'

/** A new certificate that has not passed the gate yet. */
export interface Candidate {
  readonly leaf: X509Certificate
  readonly intermediates: readonly X509Certificate[]
  readonly key: KeyObject
  /** The CA certificates that the source knows, the leaf's own among them. */
  readonly issuers: readonly X509Certificate[]
}

/** What a target needs, and what it has. */
export interface Wanted {
  readonly target: Target
  /** What the certificate must be for. */
  readonly commonName: string
  /** What is published and has not expired. */
  readonly published: Bundle | undefined
}

/** What a look has found. Empty: everything is as it was. */
export interface SourceUpdate {
  /** The CA certificates as they are now; undefined if nothing can be said about those of the published certificate. */
  readonly issuers?: readonly X509Certificate[]
  /** Why another certificate is to be obtained at once. */
  readonly renew?: ReasonCode | undefined
}

export interface BundleSource {
  /** Whether `obtain` has a certificate made; otherwise somebody else makes them, and it reads the newest. */
  readonly issues: boolean
  /** What is there for a component, as a fingerprint that costs next to nothing; undefined if it is not on this node. */
  readonly fingerprintOf?: ((component: string) => string) | undefined
  /** Milliseconds from one look to the next. */
  pollEveryMs(lifetimeMs: number): number
  /**
   * @param reusedKey the key to keep, if the source makes certificates; undefined: a new one
   * @returns undefined if there is nothing newer than what is published
   */
  obtain(wanted: Wanted, reusedKey: KeyObject | undefined): Promise<Candidate | undefined>
  /** Looks without making anything. */
  poll(wanted: Wanted): Promise<SourceUpdate>
}
