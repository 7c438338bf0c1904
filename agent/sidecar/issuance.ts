/**
 * Has a certificate made: within the budget, with a new key or the one that may be reused. What is about to be made is counted and
 * written down first, so that a process that dies of it has counted it.
 */
import { formatDuration } from '../core/duration.ts'
import { AgentError } from '../core/errors.ts'
import type { ReasonCode } from '../core/reason-catalog.ts'
import { planBudget, planIssuance, planRecent } from './budget.ts'
import { type TargetContext, wantedFrom } from './context.ts'
import type { Candidate } from './source/source.ts'

/**
 * A new certificate, to replace what is published; undefined if the source has nothing newer.
 * @throws AgentError `budget-spent`, or as the source
 */
export async function obtain(context: TargetContext, reason: ReasonCode): Promise<Candidate | undefined> {
  const { component, source, rules, emit } = context
  const wanted = wantedFrom(context)
  // What somebody else makes costs nothing to read.
  if (!rules.issues) return await source.obtain(wanted, undefined)
  const reused = reusableKey(context)
  const takeBack = spend(context)
  try {
    const candidate = await source.obtain(wanted, reused)
    if (candidate === undefined) {
      takeBack()
      return undefined
    }
    const { serialNumber } = candidate.leaf
    emit({ type: 'issued', component, serialNumber, keyReused: reused !== undefined, reason })
    return candidate
  } catch (error) {
    // An outage must not spend what its end will need. What came and cannot be read was made, though.
    if (error instanceof AgentError && error.code !== 'malformed') takeBack()
    throw error
  }
}

/** The key made last, for as many rotations as are configured; one that was found on disk is not reused: its age is not known. */
function reusableKey({ state, issuance }: TargetContext) {
  const { key, published } = state()
  const mayBeReused = key !== undefined && key.reuses < issuance.keyReuse && published?.bundle.key === key.key
  return mayBeReused ? key.key : undefined
}

/** Counts one certificate; answers how to take that back. */
function spend(context: TargetContext): () => void {
  const { component, issuance, state, now } = context
  const nowMs = now()
  const { published } = state()
  const { notBeforeMs, notAfterMs } = published?.validity ?? { notBeforeMs: 0, notAfterMs: issuance.ttlSeconds * 1000 }
  const limit = issuance.budget ?? planBudget(notAfterMs - notBeforeMs, issuance.renewAt)
  const recent = planRecent(readRecord(context), nowMs)
  const waitMs = planIssuance(recent, { limit, nowMs, neededAtMs: published?.plan.floorMs ?? 0 })
  if (waitMs > 0) {
    // Also if nothing is made: times of the future have become times of now, and must not do so again and again.
    writeRecord(context, recent, limit)
    const detail = `${component}: ${recent.length} certificates within an hour, the budget is ${limit}; the next one may be made in ${formatDuration(waitMs)}`
    throw new AgentError('budget-spent', detail, { retryAfterMs: waitMs })
  }
  writeRecord(context, [...recent, nowMs], limit)
  return () => writeRecord(context, recent, limit)
}

function readRecord({ record, state, tellFlaw }: TargetContext): readonly number[] {
  const { issued } = state()
  if (issued?.isWritten === false) return issued.atWallMs
  try {
    return record.read()
  } catch (error) {
    tellFlaw(error)
    return []
  }
}

function writeRecord(context: TargetContext, issuedAtMs: readonly number[], limit: number): void {
  const { record, apply, tellFlaw } = context
  let isWritten = true
  try {
    record.write(issuedAtMs)
  } catch (error) {
    tellFlaw(error)
    isWritten = false
  }
  apply({ type: 'recorded', issuedAtMs, limit, isWritten })
}
