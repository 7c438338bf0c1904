/** The way of one certificate, and the poll that says whether there must be another. */
import { AgentError } from '../core/errors.ts'
import type { ReasonCode } from '../core/reason-catalog.ts'
import { validityOf } from '../pki/certificate.ts'
import { acceptCertificate } from './acceptance.ts'
import { type TargetContext, wantedFrom } from './context.ts'
import { saveFallback } from './fallback.ts'
import { refreshCaSet } from './inspection.ts'
import { obtain } from './issuance.ts'
import { publish } from './publication.ts'
import type { Candidate } from './source/source.ts'

/**
 * 1. claim: nothing is signed that another agent's directory would not take; the loop has done it
 * 2. obtain: what is pending, or a new certificate: token, session, signature (source/)
 * 3. check, and ask etcd: the gate; what it refuses is not published, and what could be good once the directory, a file or etcd is
 *    mended is put aside
 * 4. publish: one rename
 * 5. remember: the node's cache, the key, the next poll
 * @throws AgentError with the reason; what was published stays
 */
export async function renew(context: TargetContext, reason: ReasonCode): Promise<void> {
  const { state, apply, now } = context
  const { request } = state()
  const candidate = (await takePending(context)) ?? (await obtain(context, reason))
  if (candidate === undefined) {
    if (reason === 'renewal-due') throw new AgentError('nothing-newer', 'the source holds what is published')
    return apply({ type: 'renewed', request, key: undefined })
  }
  try {
    const bundle = await acceptCertificate(context, candidate)
    await publish(context, bundle, reason, now())
    saveFallback(context, bundle)
  } catch (error) {
    if (error instanceof AgentError) apply({ type: 'put-aside', candidate, code: error.code })
    throw error
  }
  apply({ type: 'renewed', request, key: candidate.key })
}

/** Vault may sign the next one with another issuer, or under another name: worth a try now and then. */
const rejectedMs = 3_600_000

/** The pending certificate, unless it is stale. */
async function takePending(context: TargetContext): Promise<Candidate | undefined> {
  const { state, rules, now } = context
  const { pending } = state()
  if (pending === undefined) return undefined
  const { candidate, code, sinceWallMs } = pending
  const dueMs = rules.plan(validityOf(candidate.leaf), sinceWallMs).renewAtMs
  const staleMs = code === 'etcd-rejected-certificate' ? Math.min(dueMs, sinceWallMs + rejectedMs) : dueMs
  if (now() >= staleMs) return undefined
  return code === 'etcd-untrusted-server' ? await withNewIssuers(context, candidate) : candidate
}

/** The CA of etcd's server may have come to the mount since. */
async function withNewIssuers(context: TargetContext, candidate: Candidate): Promise<Candidate> {
  try {
    const { issuers = [] } = await context.source.poll(wantedFrom(context))
    return { ...candidate, issuers: [...issuers, ...candidate.issuers] }
  } catch (error) {
    if (!(error instanceof AgentError)) throw error
    return candidate
  }
}

/** The source is polled again soon; that it could not be endangers nothing. */
export async function poll(context: TargetContext): Promise<void> {
  const { component, source, apply, emit } = context
  apply({ type: 'polled' })
  try {
    const { issuers, renew: reason } = await source.poll(wantedFrom(context))
    if (issuers !== undefined) await refreshCaSet(context, issuers)
    if (reason !== undefined) apply({ type: 'renewal-wanted', reason })
  } catch (error) {
    if (!(error instanceof AgentError)) throw error
    if (error.retry === 'outage') apply({ type: 'source-down' })
    emit({ type: 'ca-refresh-failed', component, reason: error.code, detail: error.message })
  }
}
