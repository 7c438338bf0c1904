/**
 * Owns the way to etcd for the last check of the gate: whether etcd itself accepts a bundle. What talks to etcd is loaded
 * with the first question, so that an agent without the probe never loads it.
 */
import type { EtcdProbeConfig } from '../../config/etcd-endpoints.ts'
import type { Bundle } from '../../pki/bundle.ts'
import { commonName } from '../../pki/certificate.ts'
import type { Finding } from './probe/outcome.ts'
import type { ProbeMode } from './probe/verdict.ts'

export interface EtcdProbe {
  readonly mode: ProbeMode
  /** Never rejects for what etcd does. */
  ask(bundle: Bundle, timeoutMs: number): Promise<Finding>
  /** Aborted: no question is answered any more. */
  readonly stop: AbortSignal
}

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
