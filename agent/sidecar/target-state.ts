/**
 * Everything that is known of one target, as one immutable value: next-state.ts says how an event changes it, next-step.ts what is
 * done next. Moments of the monotonic clock end in `Mono`, moments of the corrected wall clock in `WallMs` or `AtMs`: a wall clock
 * that is set back must not delay a retry by hours.
 */
import type { KeyObject } from 'node:crypto'
import type { BackoffState } from '../core/backoff.ts'
import type { AgentError } from '../core/errors.ts'
import type { ReasonCode } from '../core/reason-catalog.ts'
import type { Bundle } from '../pki/bundle.ts'
import type { LiveCertificate } from '../pki/ca-set.ts'
import type { Validity } from '../pki/certificate.ts'
import { windowMs } from './budget.ts'
import type { CaHistory } from './ca-history.ts'
import type { InputStates } from './inputs.ts'
import type { PublishedCertificate, TargetFailure, TargetView, Verification } from './observe/events.ts'
import type { RenewalPlan, RenewalPlanner } from './schedule.ts'
import type { Candidate } from './source/source.ts'

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
  readonly during: StepName
  /** What it was about, as it was then (inputs.ts). */
  readonly inputs: InputStates
  readonly backoff: BackoffState
  readonly atWallMs: number
  /** When attempts began to fail for this reason. */
  readonly firstAtWallMs: number
  readonly retryAtMono: number
  readonly retryAtWallMs: number
  /** Whether a certificate was looked for elsewhere since. */
  readonly isFallbackTried: boolean
  /** Whether something good was published since. The next attempt waits all the same. */
  readonly isOver: boolean
}

/**
 * What the directory needs: the known bundle once more, another one in its place (from the cache, or a new one), or another set
 * of CA certificates.
 */
export type Repair = { readonly kind: 'rewrite' | 'replace'; readonly reason: ReasonCode } | { readonly kind: 'ca-set' }

/** What was done again and again (streak.ts). */
export interface Streak {
  readonly count: number
  readonly atMono: number
}

export interface TargetState {
  readonly published?: Published | undefined
  readonly caHistory?: CaHistory | undefined
  /** What was published last, for those who are told; also if it was lost since. */
  readonly certificate?: PublishedCertificate | undefined
  /** What came of asking etcd about what is published; undefined if it was not asked. */
  readonly verification?: (Verification & { readonly atMono: number }) | undefined
  /** What stood in the directory when it was last inspected; undefined: it is to be inspected. */
  readonly inspected?: { readonly fingerprint: string; readonly atMono: number } | undefined
  readonly inspections?: Streak | undefined
  readonly repair?: Repair | undefined
  readonly repairs?: Streak | undefined
  readonly request?: RenewalRequest | undefined
  readonly failure?: Failure | undefined
  readonly pollAtMono?: number | undefined
  /** When a poll last found the source down. */
  readonly outageAtMono?: number | undefined
  /** What a source on this node held when it was last compared. */
  readonly sourceFingerprint?: string | undefined
  readonly pending?: PendingCertificate | undefined
  /** The private key that was made last, and how many rotations have reused it. */
  readonly key?: { readonly key: KeyObject; readonly reuses: number } | undefined
  /** When certificates were made, and how many an hour may see. If that could not be written down, no record knows better. */
  readonly issued?:
    | { readonly atWallMs: readonly number[]; readonly limit: number; readonly isWritten: boolean }
    | undefined
}

/** What a target does next (next-step.ts). */
export type Step =
  /** The directory is read, and nothing is written. */
  | { readonly do: 'inspect' }
  | { readonly do: 'repair'; readonly repair: Repair }
  /** There is no certificate that works, and none can be had: one is looked for on this node. */
  | { readonly do: 'fall-back' }
  | { readonly do: 'renew'; readonly reason: ReasonCode }
  | { readonly do: 'poll' }
  /** etcd is asked again about what was published unverified. */
  | { readonly do: 'reprobe' }
  /** What failed before has passed. */
  | { readonly do: 'recover' }
  | { readonly do: 'wait'; readonly forMs: number }

export type StepName = Step['do']

/** What never changes for a target, and decides with its state. */
export interface TargetRules {
  /** Whether the source has certificates made for us; otherwise somebody else makes them. */
  readonly issues: boolean
  readonly plan: RenewalPlanner
  readonly pollEveryMs: (lifetimeMs: number) => number
  /** The node's moment of each interval, 0 to 1. */
  readonly pollSlot: number
}

export const unknownTarget: TargetState = {}

/** The part of the state that is told. */
export function viewOf({ certificate, failure, verification, issued }: TargetState): TargetView {
  return {
    certificate,
    failure: failure === undefined || failure.isOver ? undefined : viewOfFailure(failure),
    verification,
    budget: issued && { limit: issued.limit, spentUntilMs: issued.atWallMs.map((ms) => ms + windowMs) },
  }
}

function viewOfFailure({ error, atWallMs, firstAtWallMs, retryAtWallMs }: Failure): TargetFailure {
  const { code: reason, message: detail } = error
  return { reason, detail, atMs: atWallMs, firstAtMs: firstAtWallMs, retryAtMs: retryAtWallMs }
}

/** Whether there is something new to tell. */
export function isToldAlike(a: TargetState, b: TargetState): boolean {
  return (['certificate', 'failure', 'verification', 'issued'] as const).every((part) => a[part] === b[part])
}

/** What can happen to a target, as far as its state is concerned. */
export type TargetEvent =
  /** The node was observed: what is published, a source on it, and what the last failure was about. */
  | { readonly type: 'observed'; readonly fingerprint: string; readonly source: string; readonly inputs: InputStates }
  | { readonly type: 'inspected'; readonly fingerprint: string; readonly repair: Repair | undefined }
  | { readonly type: 'repaired' }
  /** This stands in the directory now, and is good. `issuedAtMs` is not known of what was found. */
  | {
      readonly type: 'adopted'
      readonly bundle: Bundle
      readonly writtenAtMs: number
      readonly issuedAtMs?: number | undefined
      /** It came from a cache or a static Secret: what failed before still fails. */
      readonly isFallback: boolean
      /** What stood there before, and may still be in use. */
      readonly previous: LiveCertificate | undefined
    }
  /** What stood in the directory is of no use any more, and nor is what was known. */
  | { readonly type: 'lost' }
  | { readonly type: 'renewal-wanted'; readonly reason: ReasonCode }
  /** What was wanted has come from elsewhere. */
  | { readonly type: 'renewal-unwanted' }
  /** Somebody asks for it: earlier failures do not count. */
  | { readonly type: 'renewal-ordered' }
  | { readonly type: 'renewed'; readonly request: RenewalRequest | undefined; readonly key: KeyObject | undefined }
  | { readonly type: 'put-aside'; readonly candidate: Candidate; readonly code: ReasonCode }
  | { readonly type: 'polled' }
  | { readonly type: 'source-down' }
  | { readonly type: 'poll-soon' }
  | { readonly type: 'verified'; readonly verification: Verification }
  /** Certificates were counted; whether that could be written down. */
  | {
      readonly type: 'recorded'
      readonly issuedAtMs: readonly number[]
      readonly limit: number
      readonly isWritten: boolean
    }
  | {
      readonly type: 'failed'
      readonly error: AgentError
      readonly during: StepName
      readonly inputs: InputStates
      /** From 0 to 1. */
      readonly random: number
    }
  | { readonly type: 'fallback-tried' }
  | { readonly type: 'recovered' }
