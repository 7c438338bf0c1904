/**
 * Owns when a certificate is renewed: a pure function of its validity and of who it is for. Renewals of a fleet are spread
 * evenly from the first cycle on, and a restart decides nothing anew.
 *
 * Time is divided into periods of `renewAt` of the granted lifetime, counted from the epoch. Every identity has one fixed
 * slot in the period: a hash of cluster, node and component. A certificate is renewed at the first slot after it has been
 * issued, however many others were issued at the same moment.
 */
import { createHash } from 'node:crypto'
import type { Config } from '../config/config.ts'
import type { Validity } from '../pki/certificate.ts'

export interface Identity {
  readonly cluster: string
  readonly node: string
  readonly component: string
}

/** When a certificate of this validity is renewed that was obtained at this moment. */
export type RenewalPlanner = (validity: Validity, issuedAtMs: number) => RenewalPlan

export interface RenewalPlan {
  readonly renewAtMs: number
  /** The latest moment that the schedule allows. */
  readonly floorMs: number
}

/** A slot this soon after the issue is left out: the certificate is as good as new. Fraction of the period. */
const skippedFraction = 0.05

/** What must be left at a regular renewal, so that failures have time to be noticed and mended. Fraction of the lifetime. */
const reserveFraction = 0.1

/** Vault's default `not_before_duration`: a certificate is this old when it is issued, but hardly older than two thirds. */
const backdatingMs = 30_000
const backdatedFraction = 2 / 3

/** Lifetimes are asked for in multiples of this, and two certificates of one role differ by less than half of it. */
const lifetimeStepMs = 5000

/** Within this time after an outage everybody who could not renew tries again (backoff.ts). */
const recoveryMs = 3_600_000

/** Where in every period, from 0 to 1, the identity is renewed. */
export function slotOf({ cluster, node, component }: Identity): number {
  const hash = createHash('sha256')
    .update(JSON.stringify([cluster, node, component]))
    .digest()
  return hash.readUIntBE(0, 6) / 2 ** 48
}

/**
 * When to renew a certificate: after its issue, at or before the floor.
 * @param issuedAtMs when it was obtained; `notBefore` if that is not known (a restart). It matters only if the role
 *   backdates by more than Vault's default: the slot must not lie before the issue, or the agent would renew in a loop
 * @param slot from slotOf
 * @param renewAt the period as a fraction of the lifetime, 0.3 to 0.85
 */
export function planRenewal(validity: Validity, issuedAtMs: number, slot: number, renewAt: number): RenewalPlan {
  const { notBeforeMs, notAfterMs } = validity
  const validMs = Math.max(notAfterMs - notBeforeMs, 0)
  const backdatedMs = Math.min(backdatingMs, validMs * backdatedFraction)
  const startMs = Math.min(Math.max(issuedAtMs, notBeforeMs + backdatedMs), notAfterMs)
  const floorMs = notAfterMs - (notAfterMs - startMs) * reserveFraction
  // What is published late has less left than a period; with this limit a slot always comes before the floor.
  const longestPeriodMs = (floorMs - startMs) / (1 + skippedFraction)
  const periodMs = Math.min(steadyLifetimeMs(validMs - backdatedMs) * renewAt, longestPeriodMs)
  if (periodMs < 1) return { renewAtMs: floorMs, floorMs }
  const earliestMs = startMs + periodMs * skippedFraction
  const slotMs = (Math.ceil(earliestMs / periodMs - slot) + slot) * periodMs
  return { renewAtMs: Math.min(slotMs, floorMs), floorMs }
}

/** When a newer certificate must be there that somebody else makes: their schedule is theirs, so that only the floor counts. */
export function planExpected({ notBeforeMs, notAfterMs }: Validity): RenewalPlan {
  const floorMs = notAfterMs - Math.max(notAfterMs - notBeforeMs, 0) * reserveFraction
  return { renewAtMs: floorMs, floorMs }
}

/**
 * The lifetime without the second by which two certificates of one role differ (each end is cut to whole seconds): slots
 * are counted from the epoch, so that every second of the period would move them by hours.
 */
function steadyLifetimeMs(lifetimeMs: number): number {
  return Math.max(Math.round(lifetimeMs / lifetimeStepMs), 1) * lifetimeStepMs
}

/**
 * When the planned renewal is made, given that Vault was found down lately: an hour later if there is time, so that in
 * the hour after an outage, those who could not renew during it come first.
 * @param outageAtMs when a look at the source last failed. Looks are an hour apart, hence two hours of memory for an hour
 *   of deferral
 */
export function deferAfterOutage({ renewAtMs, floorMs }: RenewalPlan, outageAtMs: number | undefined): number {
  const shiftMs = Math.min((floorMs - renewAtMs) / 2, recoveryMs)
  return outageAtMs !== undefined && outageAtMs > renewAtMs - 2 * shiftMs ? renewAtMs + shiftMs : renewAtMs
}

/** Which plan holds for a target: its slot, or what is expected of whoever makes the certificates. */
export function createPlanner(
  { source, cluster, node, renewAt }: Pick<Config, 'source' | 'cluster' | 'node' | 'renewAt'>,
  component: string,
): RenewalPlanner {
  if (source.kind !== 'pki') return planExpected
  const slot = slotOf({ cluster, node, component })
  return (validity, issuedAtMs) => planRenewal(validity, issuedAtMs, slot, renewAt)
}

/**
 * When the source is polled next: once in every interval, at the node's own moment of it.
 * @param slot from 0 to 1
 */
export function planPoll(intervalMs: number, slot: number, nowMs: number): number {
  const nextMs = (Math.floor(nowMs / intervalMs - slot) + 1 + slot) * intervalMs
  // At the moment itself the division may round down to the interval before.
  return nextMs > nowMs ? nextMs : nextMs + intervalMs
}
