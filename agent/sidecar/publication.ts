/** Makes a bundle visible, and tells what stands in the directory from then on. */

import type { ReasonCode } from '../core/reason-catalog.ts'
import type { Bundle } from '../pki/bundle.ts'
import type { TargetContext } from './context.ts'
import type { PublishedCertificate } from './observe/events.ts'

const fallbackReasons: ReadonlySet<ReasonCode> = new Set(['restored-from-state', 'restored-from-bootstrap'])

/**
 * The bundle has passed the gate.
 * @param issuedAtMs undefined if the certificate is not a new one
 * @throws AgentError; what was published stays
 */
export async function publish(
  context: TargetContext,
  bundle: Bundle,
  reason: ReasonCode,
  issuedAtMs?: number,
): Promise<void> {
  const { component, directory, clock, emit } = context
  // Signing and asking etcd may have taken a while.
  await directory.claim()
  const startedAtMono = clock.monotonic()
  const writtenAtMs = directory.publish(bundle.text, new Date(clock.now()))
  const isFallback = fallbackReasons.has(reason)
  const certificate = adopt(context, bundle, { writtenAtMs, issuedAtMs, isFallback })
  emit({ type: 'published', component, reason, durationMs: clock.monotonic() - startedAtMono, certificate })
}

/** Takes what stands in the directory as the published bundle. */
export function adopt(
  { apply, state, directory, clock }: TargetContext,
  bundle: Bundle,
  how: { writtenAtMs: number | undefined; issuedAtMs?: number | undefined; isFallback: boolean },
): PublishedCertificate {
  const writtenAtMs = how.writtenAtMs ?? clock.now()
  apply({ type: 'adopted', bundle, ...how, writtenAtMs, previous: directory.previous() })
  const { certificate } = state()
  if (certificate === undefined) throw new Error('what was adopted is not known')
  return certificate
}
