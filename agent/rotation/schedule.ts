/**
 * Owns when a certificate is renewed: a pure function of its validity and of who it is for. Renewals of a fleet are spread
 * evenly from the first cycle on, and a restart decides nothing anew.
 *
 * Time is divided into periods of `renewAt` of the granted lifetime, counted from the epoch. Every identity has one fixed
 * slot in the period: a hash of cluster, node and component. A certificate is renewed at the first slot after it has been
 * issued, however many others were issued at the same moment.
 */
import { createHash } from 'node:crypto'
import type { Validity } from '../pki/certificate.ts'

export interface Identity {
  readonly cluster: string
  readonly node: string
  readonly component: string
}

export interface RenewalPlan {
  readonly renewAtMs: number
  /** The latest moment that the schedule allows: a slot after it is moved before it. */
  readonly floorMs: number
}

/** A slot this soon after the issue is left out: the certificate is as good as new. Fraction of the period. */
const skippedFraction = 0.05

/** What must be left at a regular renewal, so that failures have time to be noticed and mended. Fraction of the lifetime. */
const reserveFraction = 0.1

/** Where in every period, from 0 to 1, the identity is renewed. */
export function slotOf({ cluster, node, component }: Identity): number {
  const hash = createHash('sha256')
    .update(JSON.stringify([cluster, node, component]))
    .digest()
  return hash.readUIntBE(0, 6) / 2 ** 48
}

/**
 * When to renew a certificate that was issued at `notBefore` or, where that was backdated, at most
 * `reserveFraction` of the lifetime later.
 * @param slot from slotOf
 * @param renewAt the period as a fraction of the lifetime, 0.3 to 0.85
 */
export function planRenewal(validity: Validity, slot: number, renewAt: number): RenewalPlan {
  const lifetimeMs = validity.notAfterMs - validity.notBeforeMs
  const periodMs = steadyLifetimeMs(lifetimeMs) * renewAt
  const floorMs = validity.notAfterMs - lifetimeMs * reserveFraction
  const earliestMs = validity.notBeforeMs + periodMs * skippedFraction
  const slotMs = (Math.ceil(earliestMs / periodMs - slot) + slot) * periodMs
  // With a short remaining life (an issuer that ends soon) the slot may lie behind the floor: spread over what is there.
  const renewAtMs = slotMs <= floorMs ? slotMs : floorMs - (floorMs - validity.notBeforeMs) * (1 - slot) * 0.1
  return { renewAtMs, floorMs }
}

/**
 * The lifetime without the seconds by which two certificates of one role differ (each end is cut to whole seconds, and
 * roles backdate by 30 s): slots counted from the epoch would move by hours with every second of the period.
 */
function steadyLifetimeMs(lifetimeMs: number): number {
  const minuteMs = 60_000
  return lifetimeMs < 60 * minuteMs ? lifetimeMs : Math.round((lifetimeMs - minuteMs / 4) / minuteMs) * minuteMs
}
