/** Owns the way to etcd of `provision`: addresses and the operator's certificate, from Calico's own variables. */
import { createPrivateKey } from 'node:crypto'
import { ConfigError, messageOf } from '../core/errors.ts'
import { readSmallFile, systemFiles } from '../core/files.ts'
import { Secret } from '../core/secret.ts'
import { commonName, parseCertificates } from '../pki/certificate.ts'
import { type CalicoVersion, parseCalicoVersions } from './calico-version.ts'
import { readEndpoints } from './etcd-endpoints.ts'
import { type Environment, EnvironmentReader, quote } from './reader.ts'
import { refuseUnknown } from './unknown-variables.ts'

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
  const reader = new EnvironmentReader(env)
  refuseUnknown(reader, env)
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
  const versions = readCalicoVersions(reader)
  if (reader.problems.length > 0 || !ca || !cert || !key || !leaf) throw new ConfigError(reader.problems)
  const etcd = { endpoints, ca: ca.pem, cert: cert.pem, key: new Secret(key.pem), operator: commonName(leaf) ?? '' }
  return { etcd, versions }
}

/** For what never contacts etcd. @throws ConfigError */
export function parseCalicoVersionVariable(env: Environment): readonly CalicoVersion[] {
  const reader = new EnvironmentReader(env)
  refuseUnknown(reader, env)
  const versions = readCalicoVersions(reader)
  if (reader.problems.length > 0) throw new ConfigError(reader.problems)
  return versions
}

/** What does not change while `provision watch` runs: its certificate does. @throws ConfigError */
export function parseEtcdEndpoints(env: Environment): readonly string[] {
  const reader = new EnvironmentReader(env)
  const endpoints = readEndpoints(reader)
  if (reader.problems.length > 0) throw new ConfigError(reader.problems)
  return endpoints
}

/** The user of the operator's certificate alone. @throws ConfigError */
export function readOperator(env: Environment): string {
  const reader = new EnvironmentReader(env)
  const leaf = readPem(reader, 'ETCD_CERT_FILE', parseCertificates)?.parsed[0]
  const operator = leaf === undefined ? undefined : commonName(leaf)
  if (leaf !== undefined && operator === undefined) reader.problem('ETCD_CERT_FILE', 'has no common name')
  if (operator === undefined) throw new ConfigError(reader.problems)
  return operator
}

function readCalicoVersions(reader: EnvironmentReader): readonly CalicoVersion[] {
  const text = reader.optional('AGENT_CALICO_VERSION')
  const versions = text === undefined ? [] : parseCalicoVersions(text)
  if (versions === undefined) {
    const what = 'it must be a version of Calico such as v3.32.1, or several with commas'
    reader.problem('AGENT_CALICO_VERSION', `is ${quote(text ?? '')}; ${what}`)
  }
  return versions ?? []
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
