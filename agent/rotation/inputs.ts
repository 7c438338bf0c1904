/**
 * What on this node can end a failure: the one decision which change ends the wait before the next try, and the reading of what
 * it compares. A change of anything else, and a file that is written again with the same content, leave the wait as it is: the
 * kubelet replaces a token every few minutes, and a fleet that tried again each time would keep Vault busy while it is down.
 */
import type { Config } from '../config/config.ts'
import type { Input, Reason } from '../reason.ts'
import { type ReasonCode, reasons } from '../reasons.ts'
import { fingerprintDirectory, fingerprintFiles } from '../store/fingerprint.ts'
import { fingerprintLogin } from '../vault/credentials.ts'

/** Fingerprints of inputs, taken when an attempt failed or later. */
export type InputStates = Readonly<Partial<Record<Input, string>>>

const mendedByKind: Readonly<Partial<Record<Reason['about'], readonly Input[]>>> = {
  auth: ['credential'],
  store: ['directory'],
  file: ['etcd-ca', 'vault-tls'],
  source: ['source'],
  gate: ['etcd-ca', 'source'],
}

/** What a failure with this reason is about; nothing, if it passes only elsewhere: in Vault, in etcd, on the way there. */
export function mendedBy(code: ReasonCode): readonly Input[] {
  const reason: Reason = reasons[code]
  return reason.mendedBy ?? mendedByKind[reason.about] ?? []
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
