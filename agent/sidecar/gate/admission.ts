/** Owns the last step of the gate, if it is switched on: etcd is asked about a bundle, and the verdict carried out. */

import type { EtcdProbeConfig } from '../../config/etcd.ts'
import type { Clock } from '../../core/clock.ts'
import { AgentError } from '../../core/errors.ts'
import type { Bundle } from '../../pki/bundle.ts'
import type { Validity } from '../../pki/certificate.ts'
import { commonName } from '../../pki/certificate.ts'
import type { Listener, Verification } from '../observe/events.ts'
import { type Finding, type ProbeContext, type ProbeMode, planProbeMs, planVerdict } from './probe/outcome.ts'

export interface AdmissionOptions {
  readonly component: string
  readonly probe: EtcdProbe
  readonly clock: Clock
  /** The corrected time (vault/skew.ts). */
  readonly now: () => number
  readonly emit: Listener
}

/**
 * Resolves if the bundle may be published, with what etcd says of it.
 * @param published when what it would replace works; undefined if nothing is published
 * @throws AgentError with the finding if it may not
 */
export type Admit = (
  bundle: Bundle,
  subject: ProbeContext['subject'],
  published: Validity | undefined,
) => Promise<Verification>

export function createAdmission({ component, probe, clock, now, emit }: AdmissionOptions): Admit {
  return async (bundle, subject, published) => {
    const replaced = published && {
      runwayMs: published.notAfterMs - now(),
      lifetimeMs: published.notAfterMs - published.notBeforeMs,
    }
    const startedAt = clock.monotonic()
    const { code, detail } = await probe.ask(bundle, planProbeMs(replaced))
    // Unheard because the agent is stopping: that is no reason to publish anything.
    if (probe.stop.aborted && code !== 'accepted') throw new AgentError(code, detail)
    const verdict = planVerdict(code, { mode: probe.mode, subject, published: replaced })
    emit({ type: 'probed', component, outcome: code, detail, verdict, durationMs: clock.monotonic() - startedAt })
    if (verdict === 'refuse' && code !== 'accepted') throw new AgentError(code, detail)
    return verdict === 'publish' || code === 'accepted'
      ? { isAccepted: true }
      : { isAccepted: false, reason: code, detail }
  }
}

export interface EtcdProbe {
  readonly mode: ProbeMode
  /** Never rejects for what etcd does. */
  ask(bundle: Bundle, timeoutMs: number): Promise<Finding>
  /** Aborted: no question is answered any more. */
  readonly stop: AbortSignal
}

/** What talks to etcd is loaded with the first question, so that an agent without the probe never loads it. */
export function createEtcdProbe({ mode, endpoints }: EtcdProbeConfig, stop: AbortSignal): EtcdProbe {
  return {
    mode,
    stop,
    async ask({ leaf, text }, timeoutMs) {
      const { askEtcd } = await import('./probe/probe.ts')
      const identity = { certificate: text.certificate, key: text.key.reveal(), ca: text.ca }
      return await askEtcd({ endpoints, identity, user: commonName(leaf) ?? '', timeoutMs, stop })
    },
  }
}
