/** Owns the way to the question that etcd is asked, if that is switched on. What talks to etcd is a bundle of its own (probe/). */
import type { EtcdProbeConfig } from '../../config/etcd.ts'
import type { Bundle } from '../../pki/bundle.ts'
import { commonName } from '../../pki/certificate.ts'
import type { Finding, ProbeMode } from './probe/outcome.ts'

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
