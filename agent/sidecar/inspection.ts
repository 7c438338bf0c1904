/** Keeps the directory in order: reads what stands there, puts back what is known, and takes what a fallback has if need be. */
import { AgentError } from '../core/errors.ts'
import { type ReasonCode, reasons } from '../core/reason-catalog.ts'
import { type Bundle, isSameBundle } from '../pki/bundle.ts'
import { workingTime } from '../pki/ca-set.ts'
import { validityOf } from '../pki/certificate.ts'
import { acceptCaSet, needsCaSet } from './acceptance.ts'
import { gateContext, type TargetContext } from './context.ts'
import { findFallback, saveFallback, tellUnusableCa } from './fallback.ts'
import { judge } from './gate/gate.ts'
import { adopt, publish } from './publication.ts'
import { isContested } from './streak.ts'
import type { Repair } from './target-state.ts'

/** What cannot be read is of no use to anybody: it is replaced like a broken one. */
const unreadable: ReadonlySet<ReasonCode> = new Set(['malformed', 'directory-denied', 'directory-failed'])

/**
 * Takes over what is good, and says what is to be repaired. Writes nothing: another agent may have the directory.
 * @param fingerprint of what is read now
 * @throws AgentError
 */
export function inspect(context: TargetContext, fingerprint: string): void {
  const { apply, state } = context
  const before = state().published
  const { reason, isLittered } = takeOver(context)
  const { published } = state()
  const isOther = published !== undefined && published !== before
  // Somebody else has brought another one: as good as what was asked for.
  if (isOther && published.bundle.leaf !== before?.bundle.leaf) apply({ type: 'renewal-unwanted' })
  if (isOther && reason !== undefined) apply({ type: 'renewal-wanted', reason })
  const needed = isOther && reason !== undefined ? undefined : planRepair(context, reason, isLittered)
  apply({ type: 'inspected', fingerprint, repair: needed })
}

function planRepair(context: TargetContext, reason: ReasonCode | undefined, isLittered: boolean): Repair | undefined {
  const { directory, state, apply } = context
  const { published } = state()
  if (reason === undefined) {
    if (published === undefined) return undefined
    if (isLittered) return { kind: 'rewrite', reason: 'ca-set-changed' }
    if (!directory.hasAttributes()) return { kind: 'rewrite', reason: 'attributes-changed' }
    return needsCaSet(context, published.bundle) ? { kind: 'ca-set' } : undefined
  }
  const isGood =
    published !== undefined && judge(published.bundle, gateContext(context), ['lifetime-too-short']) === undefined
  if (isGood) return { kind: 'rewrite', reason: 'files-changed' }
  apply({ type: 'lost' })
  return { kind: 'replace', reason }
}

interface Finding {
  /** Why the directory's content cannot be used, or must be replaced by a new certificate; undefined if it is good. */
  readonly reason: ReasonCode | undefined
  /** Whether CA certificates stand there that nobody can use; what was taken over is without them. */
  readonly isLittered: boolean
}

function takeOver(context: TargetContext): Finding {
  const { component, directory, state, emit } = context
  let found: Bundle | undefined
  try {
    found = directory.current()
  } catch (error) {
    if (error instanceof AgentError && unreadable.has(error.code)) return { reason: error.code, isLittered: false }
    throw error
  }
  const isLittered = tellUnusableCa(context, found)
  if (found === undefined) return { reason: 'never-published', isLittered }
  const { published } = state()
  if (published !== undefined && isSameBundle(found, published.bundle)) return { reason: undefined, isLittered }
  // However little is left, what stands there works.
  const reason = judge(found, gateContext(context), ['lifetime-too-short'])?.code
  // What was published once has begun, whatever a slow clock says after a start: only a new one may take its place.
  if (reason !== undefined && (reason !== 'not-yet-valid' || published !== undefined)) return { reason, isLittered }
  const isOlder =
    published !== undefined && validityOf(found.leaf).notAfterMs < validityOf(published.bundle.leaf).notAfterMs
  if (isOlder) return { reason: 'files-changed', isLittered }
  const certificate = adopt(context, found, { writtenAtMs: directory.writtenAtMs(), isFallback: false })
  emit({ type: 'found', component, certificate })
  return { reason, isLittered }
}

/** @throws AgentError; what is published stays */
export async function repair(context: TargetContext, wanted: Repair): Promise<void> {
  const { component, directory, state, apply, emit } = context
  const { published } = state()
  if (wanted.kind === 'ca-set') await refreshCaSet(context, undefined)
  else if (wanted.kind === 'rewrite' && published !== undefined) await publish(context, published.bundle, wanted.reason)
  else if (wanted.kind === 'replace') await replace(context, wanted.reason)
  apply({ type: 'repaired' })
  if (!isContested(state().repairs)) return
  const what = wanted.kind === 'ca-set' ? 'ca-set-changed' : wanted.reason
  const detail = `${directory.path}: put back three times in a row (${what}); from now on every 30 s at most`
  emit({ type: 'store-flaw', component, reason: 'repair-undone', detail })
}

/** From the node's cache, if that has one that is not due; else a new one is wanted. */
async function replace(context: TargetContext, reason: ReasonCode): Promise<void> {
  const { rules, now, state, apply } = context
  const isNotDue = (bundle: Bundle): boolean => {
    const validity = workingTime(bundle, now())
    return rules.plan(validity, validity.notBeforeMs).renewAtMs > now()
  }
  const cached = await findFallback(context, 'state', [], isNotDue)
  if (cached === undefined) return apply({ type: 'renewal-wanted', reason })
  await publish(context, cached, 'restored-from-state')
  // An operator who has asked for a renewal wants a new one.
  if (state().request?.reason !== 'renewal-requested') apply({ type: 'renewal-unwanted' })
}

/** Takes the cached or the static certificate, as there is nothing that works. It starts the node, and ends no attempt. */
export async function fallBack(context: TargetContext): Promise<void> {
  const { state, apply } = context
  const cached = await findFallback(context, 'state', ['lifetime-too-short'])
  // A static Secret has another name and another issuer; it is replaced as soon as Vault answers.
  const found = cached ?? (await findFallback(context, 'bootstrap', ['lifetime-too-short', 'wrong-name']))
  if (found === undefined) return
  await publish(context, found, cached === undefined ? 'restored-from-bootstrap' : 'restored-from-state')
  if (state().request === undefined) apply({ type: 'renewal-wanted', reason: 'never-published' })
}

/**
 * Brings `etcd-ca` in step with the issuers, or with etcd's own CA alone if they are not known. A CA set that the gate or etcd
 * refuses must not stand in the way of a renewal.
 * @throws AgentError of the store
 */
export async function refreshCaSet(context: TargetContext, issuers: Parameters<typeof acceptCaSet>[2]): Promise<void> {
  const { component, state, apply, emit } = context
  const { published } = state()
  if (published === undefined) return
  try {
    const refreshed = await acceptCaSet(context, published.bundle, issuers)
    if (refreshed === published.bundle) return
    await publish(context, refreshed, 'ca-set-changed')
    saveFallback(context, refreshed)
  } catch (error) {
    if (!(error instanceof AgentError) || reasons[error.code].about !== 'gate') throw error
    emit({ type: 'ca-refresh-failed', component, reason: error.code, detail: error.message })
    if (error.retry === 'outage') apply({ type: 'poll-soon' })
  }
}
