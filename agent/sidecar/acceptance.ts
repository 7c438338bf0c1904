/**
 * Makes a bundle of a certificate and a CA set that passes the gate and that etcd accepts. A new CA set that
 * no longer verifies etcd's server must not stop the rotation: the set in place is added to it.
 */
import type { X509Certificate } from 'node:crypto'
import { AgentError } from '../core/errors.ts'
import type { ReasonCode } from '../core/reason-catalog.ts'
import { type Bundle, createBundle } from '../pki/bundle.ts'
import { isSameCaSet, planCaSet } from '../pki/ca-set.ts'
import { gateContext, liveIn, type TargetContext } from './context.ts'
import type { Admit } from './gate/admission.ts'
import { requirePass } from './gate/gate.ts'

/** The leaf with its chain and key, and the CA certificates that the source knows. */
export type BundleParts = Omit<Bundle, 'text' | 'ca'> & { readonly issuers: readonly X509Certificate[] }

/** A new certificate. @throws AgentError with the reason why it may not be published */
export async function acceptCertificate(context: TargetContext, parts: BundleParts): Promise<Bundle> {
  return await accept(context, 'certificate', (etcdCa) => checked(context, parts, etcdCa, []))
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
  return await accept(context, 'ca-set', (etcdCa) =>
    isSameCaSet(plannedCa(context, issuers, etcdCa), bundle.ca)
      ? bundle
      : checked(context, { ...bundle, issuers }, etcdCa, ['lifetime-too-short']),
  )
}

/** Whether the CA set that is published is not the one that it should be. */
export function needsCaSet(context: TargetContext, bundle: Bundle): boolean {
  return !isSameCaSet(plannedCa(context, bundle.ca, readEtcdCa(context)), bundle.ca)
}

/** Asks etcd; remembers whether it has accepted the bundle. @throws AgentError if it may not be published */
export async function askEtcd(context: TargetContext, bundle: Bundle, subject: Parameters<Admit>[1]): Promise<void> {
  const { admit, state, apply } = context
  if (admit !== undefined)
    apply({ type: 'verified', verification: await admit(bundle, subject, state().published?.validity) })
}

function plannedCa(
  context: TargetContext,
  issuers: readonly X509Certificate[],
  etcdCa: readonly X509Certificate[],
): X509Certificate[] {
  return planCaSet(issuers, etcdCa, liveIn(context), context.now())
}

function checked(
  context: TargetContext,
  { issuers, ...parts }: BundleParts,
  etcdCa: readonly X509Certificate[],
  without: readonly ReasonCode[],
): Bundle {
  const bundle = createBundle({ ...parts, ca: plannedCa(context, issuers, etcdCa) })
  requirePass(bundle, gateContext(context, liveIn(context)), without)
  return bundle
}

async function accept(
  context: TargetContext,
  subject: 'certificate' | 'ca-set',
  withEtcdCa: (etcdCa: readonly X509Certificate[]) => Bundle,
): Promise<Bundle> {
  const { admit, state, component, emit } = context
  const etcdCa = readEtcdCa(context)
  const planned = withEtcdCa(etcdCa)
  const replaced = state().published?.bundle
  if (admit === undefined || planned === replaced) return planned
  try {
    await askEtcd(context, planned, subject)
    return planned
  } catch (error) {
    if (!(error instanceof AgentError) || error.code !== 'etcd-untrusted-server' || replaced === undefined) throw error
    const joined = withEtcdCa([...etcdCa, ...replaced.ca])
    if (joined === replaced || isSameCaSet(joined.ca, planned.ca)) throw error
    await askEtcd(context, joined, subject)
    emit({ type: 'ca-refresh-failed', component, reason: error.code, detail: error.message })
    return joined
  }
}

/** A configured file that is broken must not stand in the way of a renewal: what is published holds etcd's CA as well. */
function readEtcdCa({ etcdCa, state, component, emit }: TargetContext): readonly X509Certificate[] {
  try {
    return etcdCa()
  } catch (error) {
    const { published } = state()
    if (!(error instanceof AgentError) || published === undefined) throw error
    emit({ type: 'ca-refresh-failed', component, reason: error.code, detail: error.message })
    return published.bundle.ca
  }
}
