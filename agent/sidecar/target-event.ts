/** What can happen to a target, as far as its state is concerned (target-state.ts). */
import type { KeyObject } from 'node:crypto'
import type { AgentError } from '../core/errors.ts'
import type { ReasonCode } from '../core/reason-catalog.ts'
import type { Bundle } from '../pki/bundle.ts'
import type { LiveCertificate } from '../pki/ca-set.ts'
import type { InputStates } from './inputs.ts'
import type { Verification } from './observe/events.ts'
import type { Candidate } from './source/source.ts'
import type { RenewalRequest, Repair, StepName } from './target-state.ts'

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
