/** Owns the seam between the rotation and wherever certificates come from. */
import type { KeyObject, X509Certificate } from 'node:crypto'
import type { Target } from '../config/config.ts'

/** A new certificate that has not passed the gate yet. */
export interface Candidate {
  readonly leaf: X509Certificate
  readonly intermediates: readonly X509Certificate[]
  readonly key: KeyObject
  /** The CA certificates that the source knows, the leaf's own among them. */
  readonly issuers: readonly X509Certificate[]
}

/** Every method throws AgentError where the source does not deliver; what is published is then kept. */
export interface BundleSource {
  /**
   * @param commonName what the certificate must be for
   * @param reusedKey the key to keep; a new one is made where it is undefined
   */
  obtain(target: Target, commonName: string, reusedKey: KeyObject | undefined): Promise<Candidate>
  /** The CA certificates as they are now. */
  issuers(): Promise<readonly X509Certificate[]>
}
