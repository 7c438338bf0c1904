/** Owns reading whether etcd is asked before a certificate is published, and where it is. */
import { readEndpoints } from './etcd-endpoints.ts'
import type { EnvironmentReader } from './reader.ts'

export interface EtcdProbeConfig {
  /** `warn` publishes whatever etcd says; `require` keeps what is published when etcd refuses. */
  readonly mode: 'warn' | 'require'
  /** `https://host:port` of each member; no two the same. */
  readonly endpoints: readonly string[]
}

/** Undefined where the probe is off: Calico's ETCD_ENDPOINTS may then be anything, it is not ours. */
export function readEtcdProbe(reader: EnvironmentReader): EtcdProbeConfig | undefined {
  const mode = reader.choice('AGENT_ETCD_PROBE', ['off', 'warn', 'require'])
  if (mode === 'off') return undefined
  return { mode, endpoints: readEndpoints(reader, `AGENT_ETCD_PROBE=${mode}`) }
}
