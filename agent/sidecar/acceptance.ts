/**
 * Makes a bundle of a certificate and a CA set that passes the gate and that etcd accepts. A new CA set that
 * no longer verifies etcd's server must not stop the rotation: the set in place is added to it.
 */
import type { X509Certificate } from 'node:crypto'
import { AgentError } from '../core/errors.ts'
import type { ReasonCode } from '../core/reason-catalog.ts'
import { type Bundle, createBundle } from '../pki/bundle.ts'
import { isSameCaSet, type LiveCertificate, planCaSet } from '../pki/ca-set.ts'
import { gateContext, liveIn, type TargetContext } from './context.ts'
import { requirePass } from './gate/gate.ts'
import { type ProbeContext, planProbeMs, planVerdict } from './gate/probe/outcome.ts'

/** The leaf with its chain and key, and the CA certificates that the source knows. */
export type BundleParts = Omit<Bundle, 'text' | 'ca'> & { readonly issuers: readonly X509Certificate[] }

/** A new certificate. @throws AgentError with the reason why it may not be published */
export async function acceptCertificate(context: TargetContext, parts: BundleParts): Promise<Bundle> {
  return await accept(context, 'certificate', (etcdCa, live) => checked(context, parts, etcdCa, live))
}

/**
 * The published certificate with the CA set as it is now; the bundle itself if that has not changed.
 * @param issuers undefined: as published
 * @throws AgentError as above
 */
export async function acceptCaSet(
  context: TargetContext,
  bundle: Bundle,
  issuers: readonly X509Certificate[] = bundle.ca,
): Promise<Bundle> {
  return await accept(context, 'ca-set', (etcdCa, live) =>
    isSameCaSet(planCaSet(issuers, etcdCa, live, context.now()), bundle.ca)
      ? bundle
      : checked(context, { ...bundle, issuers }, etcdCa, live, ['lifetime-too-short']),
  )
}

/** Whether the CA set that is published is not the one that it should be. */
export function needsCaSet(context: TargetContext, bundle: Bundle): boolean {
  return !isSameCaSet(planCaSet(bundle.ca, usableEtcdCa(context), liveIn(context), context.now()), bundle.ca)
}

/**
 * The last step of the gate, if it is switched on: asks etcd, and remembers what it said.
 * @throws AgentError with the finding if the bundle may not be published
 */
export async function askEtcd(context: TargetContext, bundle: Bundle, subject: ProbeContext['subject']): Promise<void> {
  const { probe, state, apply, component, clock, now, emit } = context
  if (probe === undefined) return
  const { validity } = state().published ?? {}
  const published = validity && {
    runwayMs: validity.notAfterMs - now(),
    lifetimeMs: validity.notAfterMs - validity.notBeforeMs,
  }
  const startedAtMono = clock.monotonic()
  const { code, detail } = await probe.ask(bundle, planProbeMs(published))
  // Unheard because the agent is stopping: that is no reason to publish anything.
  if (probe.stop.aborted && code !== 'accepted') throw new AgentError(code, detail)
  const verdict = planVerdict(code, { mode: probe.mode, subject, published })
  emit({ type: 'probed', component, outcome: code, detail, verdict, durationMs: clock.monotonic() - startedAtMono })
  if (verdict === 'refuse' && code !== 'accepted') throw new AgentError(code, detail)
  const isAccepted = verdict === 'publish' || code === 'accepted'
  apply({ type: 'verified', verification: isAccepted ? { isAccepted } : { isAccepted, reason: code, detail } })
}

function checked(
  context: TargetContext,
  { issuers, ...parts }: BundleParts,
  etcdCa: readonly X509Certificate[],
  live: readonly LiveCertificate[],
  without: readonly ReasonCode[] = [],
): Bundle {
  const bundle = createBundle({ ...parts, ca: planCaSet(issuers, etcdCa, live, context.now()) })
  requirePass(bundle, gateContext(context, live), without)
  return bundle
}

async function accept(
  context: TargetContext,
  subject: 'certificate' | 'ca-set',
  plan: (etcdCa: readonly X509Certificate[], live: readonly LiveCertificate[]) => Bundle,
): Promise<Bundle> {
  const { probe, state, component, emit } = context
  const etcdCa = usableEtcdCa(context)
  const live = liveIn(context)
  const planned = plan(etcdCa, live)
  const replaced = state().published?.bundle
  if (probe === undefined || planned === replaced) return planned
  try {
    await askEtcd(context, planned, subject)
    return planned
  } catch (error) {
    if (!(error instanceof AgentError) || error.code !== 'etcd-untrusted-server' || replaced === undefined) throw error
    const joined = plan([...etcdCa, ...replaced.ca], live)
    if (joined === replaced || isSameCaSet(joined.ca, planned.ca)) throw error
    await askEtcd(context, joined, subject)
    emit({ type: 'ca-refresh-failed', component, reason: error.code, detail: error.message })
    return joined
  }
}

/** A configured file that is broken must not stand in the way of a renewal: what is published holds etcd's CA as well. */
function usableEtcdCa({ etcdCa, state, component, emit }: TargetContext): readonly X509Certificate[] {
  try {
    return etcdCa()
  } catch (error) {
    const { published } = state()
    if (!(error instanceof AgentError) || published === undefined) throw error
    emit({ type: 'ca-refresh-failed', component, reason: error.code, detail: error.message })
    return published.bundle.ca
  }
}
