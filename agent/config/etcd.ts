/** Reads the way to etcd: its addresses, whether it is asked before a publication, and the operator's certificate for `provision`. */
import { createPrivateKey } from 'node:crypto'
import { messageOf } from '../core/errors.ts'
import { readSmallFile, systemFiles } from '../core/files.ts'
import { Secret } from '../core/secret.ts'
import { commonName, parseCertificates } from '../pki/certificate.ts'
import { type CalicoVersion, readCalicoVersions } from './calico-version.ts'
import { type Environment, type EnvironmentReader, quote } from './reader.ts'
import { parseEnvironment } from './unknown-variables.ts'

export interface EtcdProbeConfig {
  /** `warn` publishes whatever etcd says; `require` keeps what is published when etcd refuses. */
  readonly mode: 'warn' | 'require'
  /** `https://host:port` of each member; no two the same. */
  readonly endpoints: readonly string[]
}

/** Undefined if the probe is off: Calico's ETCD_ENDPOINTS may then be anything, it is not ours. */
export function readEtcdProbe(reader: EnvironmentReader): EtcdProbeConfig | undefined {
  const mode = reader.choice('AGENT_ETCD_PROBE')
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
    const why = requiredBy && ` with ${requiredBy}`
    reader.problem('ETCD_ENDPOINTS', `is required${why}: https://host:port of etcd's members, separated by commas`)
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

export interface EtcdAddress {
  readonly endpoints: readonly string[]
  readonly ca: string
  readonly cert: string
  readonly key: Secret
  /** Common name of the certificate: the user that etcd takes the operator for. Empty if it has none. */
  readonly operator: string
}

export interface ProvisionConfig {
  readonly etcd: EtcdAddress
  /** Empty: all that the profiles know. */
  readonly versions: readonly CalicoVersion[]
}

/** @throws ConfigError with every problem of every variable and file */
export function parseProvisionConfig(env: Environment): ProvisionConfig {
  return parseEnvironment(env, (reader) => ({ etcd: readEtcdAddress(reader), versions: readCalicoVersions(reader) }))
}

/** With the files as they are now. */
export function readEtcdAddress(reader: EnvironmentReader): EtcdAddress {
  const endpoints = readEndpoints(reader)
  const ca = readPem(reader, 'ETCD_CA_CERT_FILE', parseCertificates)
  const cert = readPem(reader, 'ETCD_CERT_FILE', parseCertificates)
  const key = readPem(reader, 'ETCD_KEY_FILE', (pem) => createPrivateKey(pem))
  const leaf = cert?.parsed[0]
  if (leaf !== undefined && key !== undefined && !leaf.checkPrivateKey(key.parsed)) {
    reader.problem('ETCD_KEY_FILE', 'is not the key of ETCD_CERT_FILE')
  }
  if (leaf !== undefined && leaf.validToDate.getTime() < Date.now()) {
    reader.problem('ETCD_CERT_FILE', `has expired at ${leaf.validToDate.toISOString()}`)
  }
  const operator = (leaf && commonName(leaf)) ?? ''
  return { endpoints, ca: ca?.pem ?? '', cert: cert?.pem ?? '', key: new Secret(key?.pem ?? ''), operator }
}

/** The user of the operator's certificate alone. @throws ConfigError */
export function readOperator(env: Environment): string {
  return parseEnvironment(env, (reader) => {
    const leaf = readPem(reader, 'ETCD_CERT_FILE', parseCertificates)?.parsed[0]
    const operator = leaf && commonName(leaf)
    if (leaf !== undefined && operator === undefined) reader.problem('ETCD_CERT_FILE', 'has no common name')
    return operator ?? ''
  })
}

function readPem<Parsed>(
  reader: EnvironmentReader,
  name: 'ETCD_CA_CERT_FILE' | 'ETCD_CERT_FILE' | 'ETCD_KEY_FILE',
  parse: (pem: string) => Parsed,
): { readonly pem: string; readonly parsed: Parsed } | undefined {
  const file = reader.optional(name)
  if (file === undefined) return reader.problem(name, 'is required: a PEM file')
  try {
    const pem = readSmallFile(systemFiles, file)
    return { pem, parsed: parse(pem) }
  } catch (error) {
    return reader.problem(name, `cannot be used: ${withFile(file, messageOf(error))}`)
  }
}

/** Errors of the system name the file already. */
function withFile(file: string, message: string): string {
  return message.includes(file) ? message : `${file}: ${message}`
}
