/** Reads ETCD_ENDPOINTS, Calico's own name for where etcd is, and whether etcd is asked before a certificate is published. */
import { type EnvironmentReader, quote } from './reader.ts'

export interface EtcdProbeConfig {
  /** `warn` publishes whatever etcd says; `require` keeps what is published when etcd refuses. */
  readonly mode: 'warn' | 'require'
  /** `https://host:port` of each member; no two the same. */
  readonly endpoints: readonly string[]
}

/** Undefined if the probe is off: Calico's ETCD_ENDPOINTS may then be anything, it is not ours. */
export function readEtcdProbe(reader: EnvironmentReader): EtcdProbeConfig | undefined {
  const mode = reader.choice('AGENT_ETCD_PROBE', ['off', 'warn', 'require'])
  if (mode === 'off') return undefined
  return { mode, endpoints: readEndpoints(reader, `AGENT_ETCD_PROBE=${mode}`) }
}

/**
 * `https://host:port` of each member; no two the same.
 * @param requiredBy what needs it, for the message if it is missing; empty if the command always does
 */
export function readEndpoints(reader: EnvironmentReader, requiredBy = ''): string[] {
  const text = reader.optional('ETCD_ENDPOINTS')
  if (text === undefined) {
    const wanted = "https://host:port of etcd's members, separated by commas"
    reader.problem('ETCD_ENDPOINTS', `is required${requiredBy === '' ? '' : ` with ${requiredBy}`}: ${wanted}`)
    return []
  }
  const endpoints = text.split(',').map((each) => each.trim().replace(/\/$/, ''))
  for (const endpoint of endpoints) {
    if (endpoint.startsWith('http://')) {
      reader.problem('ETCD_ENDPOINTS', `has ${quote(endpoint)}: without TLS etcd knows no common names; use https`)
    } else if (!isEndpoint(endpoint)) {
      reader.problem('ETCD_ENDPOINTS', `has ${quote(endpoint)}; each is https://host:port`)
    }
  }
  return [...new Set(endpoints)]
}

/** With a port: Calico's client would not guess one either. */
function isEndpoint(text: string): boolean {
  const match = /^https:\/\/(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):(\d{1,5})$/.exec(text)
  return match !== null && URL.canParse(text) && Number(match[2]) >= 1
}

/** `etcdctl` takes `host:port` for https. */
export function withScheme(endpoints: string): string {
  return endpoints
    .split(',')
    .map((each) => (each.includes('://') ? each : `https://${each.trim()}`))
    .join(',')
}
