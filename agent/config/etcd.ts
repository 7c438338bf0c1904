/** Owns reading whether etcd is asked before a certificate is published, and where it is. */
import { type EnvironmentReader, quote } from './reader.ts'

export interface EtcdProbeConfig {
  /** `warn` publishes whatever etcd says; `require` keeps what is published when etcd refuses. */
  readonly mode: 'warn' | 'require'
  /** Scheme, host and port of each member; no two the same. */
  readonly endpoints: readonly string[]
}

/** Undefined where the probe is off: Calico's ETCD_ENDPOINTS may then be anything, it is not ours. */
export function readEtcdProbe(reader: EnvironmentReader): EtcdProbeConfig | undefined {
  const mode = reader.choice('AGENT_ETCD_PROBE', ['off', 'warn', 'require'])
  if (mode === 'off') return undefined
  const list = reader.optional('ETCD_ENDPOINTS')
  if (list === undefined) {
    const example = 'such as https://10.0.0.1:2379,https://10.0.0.2:2379'
    return reader.problem('ETCD_ENDPOINTS', `is required with AGENT_ETCD_PROBE=${mode}: etcd's members, ${example}`)
  }
  const endpoints = list.split(',').map((each) => readEndpoint(reader, each.trim()))
  return { mode, endpoints: [...new Set(endpoints)] }
}

function readEndpoint(reader: EnvironmentReader, text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || url.protocol !== 'https:') {
    reader.problem('ETCD_ENDPOINTS', `has ${quote(text)}; each endpoint is a URL such as https://10.0.0.1:2379`)
    return ''
  }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '' || url.pathname !== '/') {
    reader.problem('ETCD_ENDPOINTS', 'must hold only scheme, host and port: no path, user, query or fragment')
  }
  return url.origin
}
