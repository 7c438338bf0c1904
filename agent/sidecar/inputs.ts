/**
 * What on this node can end a failure: the one decision which change ends the wait before the next try, and the reading of what
 * it compares. A change of anything else, and a file that is written again with the same content, leave the wait as it is: the
 * kubelet replaces a token every few minutes, and a fleet that tried again each time would keep Vault busy while it is down.
 */
import type { X509Certificate } from 'node:crypto'
import type { Config } from '../config/config.ts'
import { AgentError, messageOf } from '../core/errors.ts'
import { readSmallFile, systemFiles } from '../core/files.ts'
import type { Reason } from '../core/reason.ts'
import { type ReasonCode, reasons } from '../core/reason-catalog.ts'
import { parseCertificates } from '../pki/certificate.ts'
import { fingerprintLogin } from '../vault/credentials.ts'
import { fingerprintDirectory, fingerprintFiles } from './store/fingerprint.ts'

/**
 * What somebody can change on this node so that a failure passes. `credential` is any change of what the agent logs in with,
 * `login` one of who it logs in as: a service-account token that the kubelet has only renewed is the same login.
 */
export type Input = 'credential' | 'login' | 'vault-tls' | 'etcd-ca' | 'directory' | 'source'

/** Fingerprints of inputs, taken when an attempt failed or later. */
export type InputStates = Readonly<Partial<Record<Input, string>>>

const mendedByKind: Readonly<Partial<Record<Reason['about'], readonly Input[]>>> = {
  auth: ['credential'],
  store: ['directory'],
  file: ['etcd-ca', 'vault-tls'],
  source: ['source'],
  gate: ['etcd-ca', 'source'],
}

const mendedByCode: Readonly<Partial<Record<ReasonCode, readonly Input[]>>> = {
  'vault-tls': ['vault-tls'],
  'vault-login-refused': ['login'],
  'vault-denied': ['login'],
}

/** What a failure with this reason is about; nothing, if it passes only elsewhere: in Vault, in etcd, on the way there. */
export function mendedBy(code: ReasonCode): readonly Input[] {
  return mendedByCode[code] ?? mendedByKind[reasons[code].about] ?? []
}

/** Whether the wait after a failure is over: what it was about is another than when it failed. */
export function endsWait(code: ReasonCode, failed: InputStates, now: InputStates): boolean {
  return mendedBy(code).some((input) => failed[input] !== now[input])
}

export interface InputOptions {
  readonly config: Pick<Config, 'auth' | 'vault' | 'etcdCaFile'>
  /** The target's. */
  readonly directory: string
  /** What somebody else has put there for the target; undefined if that is not on this node. */
  readonly source: (() => string) | undefined
}

export type ReadInputs = (wanted: readonly Input[]) => InputStates

export function createInputReader({ config, directory, source }: InputOptions): ReadInputs {
  const { auth, vault, etcdCaFile } = config
  const read: Readonly<Record<Input, () => string>> = {
    credential: () => fingerprintFiles(credentialFiles(config)),
    login: () => (auth === undefined ? '' : (fingerprintLogin(auth) ?? fingerprintFiles(credentialFiles(config)))),
    'vault-tls': () => fingerprintFiles([vault?.caFile, vault?.clientCertFile, vault?.clientKeyFile]),
    'etcd-ca': () => fingerprintFiles([etcdCaFile]),
    directory: () => fingerprintDirectory(directory),
    source: source ?? (() => ''),
  }
  return (wanted) => Object.fromEntries(wanted.map((input) => [input, read[input]()]))
}

/** The CA certificates of etcd's servers in AGENT_ETCD_CA_FILE, if those are not of the PKI's CA. @throws AgentError `file-invalid` */
export function readEtcdCa(file: string | undefined): readonly X509Certificate[] {
  if (file === undefined) return []
  try {
    return parseCertificates(readSmallFile(systemFiles, file))
  } catch (cause) {
    throw new AgentError('file-invalid', `AGENT_ETCD_CA_FILE: ${messageOf(cause)}`, { cause })
  }
}

/** The files that the agent logs in with. */
export function credentialFiles({ auth, vault }: Pick<Config, 'auth' | 'vault'>): (string | undefined)[] {
  switch (auth?.method) {
    case undefined:
      return []
    case 'approle':
      return [auth.roleIdFile, auth.secretIdFile]
    case 'cert':
      return [vault?.clientCertFile, vault?.clientKeyFile]
    case 'kubernetes':
    case 'jwt':
    case 'token':
      return [auth.tokenFile]
  }
}
