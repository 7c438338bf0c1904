/** How an event changes what is known of a target: pure. Nothing here reads a clock, a file or the network. */
import { planRetry } from '../core/backoff.ts'
import type { Moment } from '../core/clock.ts'
import { reasons } from '../core/reason-catalog.ts'
import { workingTime } from '../pki/ca-set.ts'
import { describeCaHistory, extendCaHistory } from './ca-history.ts'
import { isProbeCode } from './gate/probe/outcome.ts'
import { endsWait } from './inputs.ts'
import { planPoll } from './schedule.ts'
import { afterInspection, afterRepair, isEnoughInspected } from './streak.ts'
import type { PendingCertificate, Published, TargetEvent, TargetRules, TargetState } from './target-state.ts'

/** Reading three small files proves what no time of a file can. */
const inspectEveryMs = 3_600_000
/** A new CA set that etcd could not be asked about is looked at again this soon. */
const pollSoonMs = 300_000

export function nextState(state: TargetState, event: TargetEvent, now: Moment, rules: TargetRules): TargetState {
  const { published, failure, request } = state
  switch (event.type) {
    case 'observed':
      return observed(state, event, now)
    case 'inspected': {
      const inspected = { fingerprint: event.fingerprint, atMono: now.mono }
      // A start contacts Vault for nothing while the certificate on disk is good.
      const pollAtMono = state.pollAtMono ?? pollAt(published, now, rules)
      const inspections = afterInspection(state.inspections, now.mono)
      return { ...state, inspected, inspections, repair: event.repair, pollAtMono }
    }
    case 'repaired':
      return {
        ...state,
        repair: undefined,
        repairs: afterRepair(state.repairs, now.mono),
        pollAtMono: state.pollAtMono ?? pollAt(published, now, rules),
      }
    case 'adopted':
      return adopted(state, event, now, rules)
    case 'lost':
      return { ...state, published: undefined }
    case 'renewal-wanted':
      return { ...state, request: { reason: event.reason } }
    case 'renewal-unwanted':
      return { ...state, request: undefined }
    case 'renewal-ordered': {
      // What etcd has not refused is still as good as a new one.
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
        key:
          event.key === undefined
            ? state.key
            : { key: event.key, reuses: event.key === state.key?.key ? state.key.reuses + 1 : 0 },
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
      return { ...state, verification: { ...event.verification, atMono: now.mono } }
    case 'recorded':
      return { ...state, issued: { atWallMs: event.issuedAtMs, limit: event.limit, isWritten: event.isWritten } }
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
function observed(
  state: TargetState,
  { fingerprint, source, inputs }: EventOf<'observed'>,
  { mono }: Moment,
): TargetState {
  const { inspected, inspections, failure, sourceFingerprint } = state
  const isSame = inspected?.fingerprint === fingerprint || isEnoughInspected(inspections, mono)
  const isStill = inspected !== undefined && isSame && mono < inspected.atMono + inspectEveryMs
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
  { bundle, writtenAtMs, issuedAtMs, isFallback, previous }: EventOf<'adopted'>,
  { wallMs }: Moment,
  { plan }: TargetRules,
): TargetState {
  const { published, failure } = state
  const isSameLeaf = published?.bundle.leaf.fingerprint256 === bundle.leaf.fingerprint256
  const validity = workingTime(bundle, wallMs)
  // A certificate that was planned before keeps its plan.
  const renewal =
    isSameLeaf && published !== undefined ? published.plan : plan(validity, issuedAtMs ?? validity.notBeforeMs)
  const caHistory = extendCaHistory(state.caHistory, bundle.ca, writtenAtMs)
  const live = previous === undefined ? [bundle] : [bundle, previous]
  return {
    ...state,
    published: { bundle, validity, plan: renewal },
    caHistory,
    certificate: {
      serialNumber: bundle.leaf.serialNumber,
      ...validity,
      renewAtMs: renewal.renewAtMs,
      ca: describeCaHistory(caHistory, live, wallMs),
    },
    failure: failure === undefined || isFallback ? failure : { ...failure, isOver: true },
  }
}

function failed(
  state: TargetState,
  { error, during, inputs, random }: EventOf<'failed'>,
  { wallMs, mono }: Moment,
  { issues, pollEveryMs }: TargetRules,
): TargetState {
  const runwayMs = (state.published?.validity.notAfterMs ?? 0) - wallMs
  const { retryAfterMs, code } = error
  const [plannedMs, backoff] = planRetry(state.failure?.backoff, { class: error.retry, runwayMs, retryAfterMs }, random)
  // What somebody else makes is polled as often as ever: they may have mended it.
  const delayMs = issues ? plannedMs : Math.min(plannedMs, pollEveryMs(runwayMs))
  const retry = { retryAtMono: mono + delayMs, retryAtWallMs: wallMs + delayMs }
  const before = state.failure
  const isSame = before !== undefined && !before.isOver && before.error.code === code
  const times = { atWallMs: wallMs, firstAtWallMs: isSame ? before.firstAtWallMs : wallMs, ...retry }
  const failure = { error, during, inputs, backoff, ...times, isFallbackTried: false, isOver: false }
  // What could not be repaired is inspected anew; and who else has the directory publishes there.
  const mustInspect = during === 'repair' || code === 'directory-in-use'
  return mustInspect ? { ...state, failure, inspected: undefined, repair: undefined } : { ...state, failure }
}

/**
 * Kept if another candidate would fare no better: the directory could not take it, AGENT_ETCD_CA_FILE could not be read, or etcd said no.
 * What somebody else makes is read again: they may have written another one.
 */
function putAside(
  pending: PendingCertificate | undefined,
  { candidate, code }: EventOf<'put-aside'>,
  { wallMs }: Moment,
  { issues }: TargetRules,
): PendingCertificate | undefined {
  const isAboutCandidate = !['store', 'file'].includes(reasons[code].about) && !isProbeCode(code)
  if (!issues || isAboutCandidate) return undefined
  const sinceWallMs = pending?.candidate.leaf === candidate.leaf ? pending.sinceWallMs : wallMs
  return { candidate, code, sinceWallMs }
}

function pollAt(published: Published | undefined, { wallMs, mono }: Moment, rules: TargetRules): number | undefined {
  if (published === undefined) return undefined
  const { notBeforeMs, notAfterMs } = published.validity
  const pollAtMs = planPoll(rules.pollEveryMs(notAfterMs - notBeforeMs), rules.pollSlot, wallMs)
  // A poll that is due in a fraction of a millisecond must not be rounded to now: it would follow itself.
  return mono + Math.max(pollAtMs - wallMs, 1)
}
