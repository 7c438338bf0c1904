/**
 * Everything that is known of one target, as one immutable value, and how an event changes it. Nothing here reads a clock, a file
 * or the network. Moments of the monotonic clock end in `Mono`, moments of the corrected wall clock in `WallMs` or `AtMs`: a wall
 * clock that is set back must not delay a retry by hours.
 */
import type { KeyObject } from 'node:crypto'
import type { AgentError } from '../errors.ts'
import { isProbeCode } from '../gate/probe/outcome.ts'
import type { Bundle } from '../pki/bundle.ts'
import { workingTime } from '../pki/ca-set.ts'
import type { Validity } from '../pki/certificate.ts'
import { type ReasonCode, reasons } from '../reasons.ts'
import type { Candidate } from '../source/source.ts'
import { type BackoffState, planRetry } from './backoff.ts'
import { type CaHistory, extendCaHistory } from './ca-history.ts'
import { endsWait, type InputStates } from './inputs.ts'
import type { StepName } from './next-step.ts'
import { planPoll, type RenewalPlan, type RenewalPlanner } from './schedule.ts'
import type { TargetEvent } from './target-event.ts'

/** Now, by both clocks. */
export interface Moment {
  /** The corrected time (vault/skew.ts). */
  readonly wallMs: number
  /** The earliest that any sane clock says: what works then is not given up. */
  readonly earliestMs: number
  readonly mono: number
}

/** What stands in the directory and has passed the gate. */
export interface Published {
  readonly bundle: Bundle
  /** When it works (pki/ca-set.ts). */
  readonly validity: Validity
  readonly plan: RenewalPlan
}

/** A signed certificate that could not be published yet. */
export interface PendingCertificate {
  readonly candidate: Candidate
  readonly code: ReasonCode
  readonly sinceWallMs: number
}

/** Why a renewal is due whatever the schedule says. Each request is an object of its own: one that comes meanwhile is not lost. */
export interface RenewalRequest {
  readonly reason: ReasonCode
}

/** The last attempt, if it failed. */
export interface Failure {
  readonly error: AgentError
  /** The step that failed. */
  readonly during: StepName
  /** What it was about, as it was then (inputs.ts). */
  readonly inputs: InputStates
  readonly backoff: BackoffState
  readonly retryAtMono: number
  /** Whether a certificate was looked for elsewhere since. */
  readonly isFallbackTried: boolean
}

/**
 * What the directory needs: the known bundle once more, another one in its place (from the cache, or a new one), or another set
 * of CA certificates.
 */
export type Repair = { readonly kind: 'rewrite' | 'replace'; readonly reason: ReasonCode } | { readonly kind: 'ca-set' }

export interface TargetState {
  readonly published: Published | undefined
  readonly caHistory: CaHistory | undefined
  /** When etcd was last asked in vain about what is published. */
  readonly unverifiedSinceMono: number | undefined
  /** What stood in the directory when it was last inspected; undefined: it is to be inspected. */
  readonly inspected: { readonly fingerprint: string; readonly atMono: number } | undefined
  readonly repair: Repair | undefined
  readonly request: RenewalRequest | undefined
  readonly failure: Failure | undefined
  readonly pollAtMono: number | undefined
  /** When a poll last found the source down. */
  readonly outageAtMono: number | undefined
  /** What a source on this node held when it was last compared. */
  readonly sourceFingerprint: string | undefined
  readonly pending: PendingCertificate | undefined
  /** The private key that was made last, and how many rotations have kept it. */
  readonly key: { readonly key: KeyObject; readonly kept: number } | undefined
  /** When certificates were made, if that could not be written down; undefined: the record says it. */
  readonly unrecordedWallMs: readonly number[] | undefined
}

/** What never changes for a target, and decides with its state. */
export interface TargetRules {
  /** Whether the source has certificates made for us; otherwise somebody else makes them. */
  readonly issues: boolean
  readonly plan: RenewalPlanner
  readonly pollEveryMs: (lifetimeMs: number) => number
  /** The node's moment of each interval, 0 to 1. */
  readonly pollSlot: number
}

export const unknownTarget: TargetState = {
  published: undefined,
  caHistory: undefined,
  unverifiedSinceMono: undefined,
  inspected: undefined,
  repair: undefined,
  request: undefined,
  failure: undefined,
  pollAtMono: undefined,
  outageAtMono: undefined,
  sourceFingerprint: undefined,
  pending: undefined,
  key: undefined,
  unrecordedWallMs: undefined,
}

/** Reading three small files costs nothing, and proves what no time of a file can. */
const inspectEveryMs = 300_000
/** A new CA set that etcd could not be asked about is looked at again this soon. */
const pollSoonMs = 300_000

export function nextState(state: TargetState, event: TargetEvent, now: Moment, rules: TargetRules): TargetState {
  const { published, failure, request } = state
  switch (event.type) {
    case 'looked':
      return looked(state, event, now)
    case 'inspected': {
      const inspected = { fingerprint: event.fingerprint, atMono: now.mono }
      // A start contacts Vault for nothing while the certificate on disk is good.
      const pollAtMono = state.pollAtMono ?? pollAt(published, now, rules)
      return { ...state, inspected, repair: event.repair, pollAtMono }
    }
    case 'repaired':
      return { ...state, repair: undefined, pollAtMono: state.pollAtMono ?? pollAt(published, now, rules) }
    case 'adopted':
      return adopted(state, event, now, rules)
    case 'lost':
      return { ...state, published: undefined }
    case 'renewal-wanted':
      return { ...state, request: { reason: event.reason } }
    case 'renewal-unwanted':
      return { ...state, request: undefined }
    case 'renewal-ordered': {
      // Only what the directory could not take is still as good as a new one.
      const pending = state.pending !== undefined && isProbeCode(state.pending.code) ? undefined : state.pending
      return { ...state, request: { reason: 'renewal-requested' }, failure: undefined, pending }
    }
    case 'renewed': {
      const isNew = event.key !== undefined
      return {
        ...state,
        request: request === event.request ? undefined : request,
        failure: isNew ? undefined : failure,
        pending: isNew ? undefined : state.pending,
        key: event.key === undefined ? state.key : usedKey(state.key, event.key),
        pollAtMono: pollAt(published, now, rules),
      }
    }
    case 'put-aside':
      return { ...state, pending: putAside(state.pending, event, now, rules) }
    case 'polled':
      return { ...state, pollAtMono: pollAt(published, now, rules) }
    case 'source-down':
      return { ...state, outageAtMono: now.mono }
    case 'poll-soon':
      return { ...state, pollAtMono: Math.min(state.pollAtMono ?? Number.POSITIVE_INFINITY, now.mono + pollSoonMs) }
    case 'verified':
      return { ...state, unverifiedSinceMono: event.isAccepted ? undefined : now.mono }
    case 'recorded':
      return { ...state, unrecordedWallMs: event.unrecordedWallMs }
    case 'failed':
      return failed(state, event, now, rules)
    case 'fallback-tried':
      return { ...state, failure: failure && { ...failure, isFallbackTried: true } }
    case 'recovered':
      return { ...state, failure: undefined }
  }
}

type EventOf<Type extends TargetEvent['type']> = Extract<TargetEvent, { type: Type }>

/** Only a change of content counts, and it counts once: the next failure is compared with what it was itself about. */
function looked(state: TargetState, { fingerprint, source, inputs }: EventOf<'looked'>, { mono }: Moment): TargetState {
  const { inspected, failure, sourceFingerprint } = state
  const isStill = inspected?.fingerprint === fingerprint && mono < inspected.atMono + inspectEveryMs
  const isMended = failure !== undefined && endsWait(failure.error.code, failure.inputs, inputs)
  const hasSourceChanged = sourceFingerprint !== undefined && sourceFingerprint !== source
  return {
    ...state,
    inspected: isStill ? inspected : undefined,
    failure: isMended ? { ...failure, retryAtMono: Math.min(failure.retryAtMono, mono) } : failure,
    sourceFingerprint: source,
    pollAtMono: hasSourceChanged ? mono : state.pollAtMono,
  }
}

function adopted(
  state: TargetState,
  { bundle, writtenAtMs, issuedAtMs }: EventOf<'adopted'>,
  { wallMs }: Moment,
  { plan }: TargetRules,
): TargetState {
  const { published } = state
  const isSameLeaf = published?.bundle.leaf.fingerprint256 === bundle.leaf.fingerprint256
  const validity = workingTime(bundle, wallMs)
  // A certificate that was planned before keeps its plan.
  const renewal =
    isSameLeaf && published !== undefined ? published.plan : plan(validity, issuedAtMs ?? validity.notBeforeMs)
  return {
    ...state,
    published: { bundle, validity, plan: renewal },
    caHistory: extendCaHistory(state.caHistory, bundle.ca, writtenAtMs),
  }
}

function failed(
  state: TargetState,
  { error, during, inputs, random }: EventOf<'failed'>,
  { wallMs, mono }: Moment,
  { issues, pollEveryMs }: TargetRules,
): TargetState {
  const runwayMs = (state.published?.validity.notAfterMs ?? 0) - wallMs
  const { retry, retryAfterMs, code } = error
  const [plannedMs, backoff] = planRetry(state.failure?.backoff, { class: retry, runwayMs, retryAfterMs }, random)
  // What somebody else makes is polled as often as ever: they may have mended it.
  const delayMs = issues ? plannedMs : Math.min(plannedMs, pollEveryMs(runwayMs))
  const failure = { error, during, inputs, backoff, retryAtMono: mono + delayMs, isFallbackTried: false }
  // What could not be repaired is inspected anew; and who else has the directory publishes there.
  const mustInspect = during === 'repair' || code === 'directory-in-use'
  return mustInspect ? { ...state, failure, inspected: undefined, repair: undefined } : { ...state, failure }
}

/** Another candidate would fare no better. What somebody else makes is read again: they may have written another one. */
function putAside(
  pending: PendingCertificate | undefined,
  { candidate, code }: EventOf<'put-aside'>,
  { wallMs }: Moment,
  { issues }: TargetRules,
): PendingCertificate | undefined {
  if (!issues || !(reasons[code].about === 'store' || isProbeCode(code))) return undefined
  const sinceWallMs = pending?.candidate.leaf === candidate.leaf ? pending.sinceWallMs : wallMs
  return { candidate, code, sinceWallMs }
}

function usedKey(known: TargetState['key'], key: KeyObject): TargetState['key'] {
  return { key, kept: key === known?.key ? known.kept + 1 : 0 }
}

function pollAt(published: Published | undefined, { wallMs, mono }: Moment, rules: TargetRules): number | undefined {
  if (published === undefined) return undefined
  const { notBeforeMs, notAfterMs } = published.validity
  const pollAtMs = planPoll(rules.pollEveryMs(notAfterMs - notBeforeMs), rules.pollSlot, wallMs)
  // What is a hair ahead must not be rounded away: a poll would follow itself.
  return mono + Math.max(pollAtMs - wallMs, 1)
}
