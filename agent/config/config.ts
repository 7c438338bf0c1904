/** Owns the configuration: the environment becomes one frozen, typed value, or every problem at once. */
import { join } from 'node:path'
import type { KeyType } from '../pki/key.ts'
import { type Auth, readAuth } from './auth.ts'
import { type EtcdProbeConfig, readEtcdProbe } from './etcd.ts'
import { checkRunbookUrl, type Observation, readObservation } from './observation.ts'
import { type OnPublishConfig, readOnPublish } from './on-publish.ts'
import { type Environment, type EnvironmentReader, quote } from './reader.ts'
import { readSource, type SourceConfig } from './source.ts'
import {
  type HostCniConfig,
  nameTargets,
  readHostCni,
  readTargets,
  refuseSharedDirectory,
  type Target,
} from './target.ts'
import { parseEnvironment, refuseWithoutEffect } from './unknown-variables.ts'
import { readVaultAddress, type VaultAddress } from './vault.ts'

export type { Target } from './target.ts'

export interface Config extends Observation {
  /** Where certificates come from. With `file`, there is no Vault and no login. */
  readonly source: SourceConfig
  readonly vault: VaultAddress | undefined
  readonly auth: Auth | undefined
  readonly inlineAuth: boolean
  readonly node: string
  readonly cluster: string
  readonly targets: readonly Target[]
  readonly pki: { readonly mount: string; readonly ttlSeconds: number }
  /** Period of the renewal slot as a fraction of the granted lifetime. */
  readonly renewAt: number
  /** Certificates in any hour and for each target; undefined: as the lifetime needs them. */
  readonly issuanceBudget: number | undefined
  readonly key: { readonly type: KeyType; readonly reuse: number }
  readonly files: { readonly mode: number; readonly uid: number | undefined; readonly gid: number | undefined }
  readonly etcdCaFile: string | undefined
  /** Undefined: off. */
  readonly etcdProbe: EtcdProbeConfig | undefined
  readonly stateDirectory: string | undefined
  readonly bootstrapDirectory: string | undefined
  /** Undefined: the CNI plugin's copy is none of our business. */
  readonly hostCni: HostCniConfig | undefined
  /** Undefined: nobody is told. */
  readonly onPublish: OnPublishConfig | undefined
}

/**
 * @param env the process's environment
 * @param hostName what NODE_NAME is outside Kubernetes
 * @throws ConfigError with every problem
 */
export function parseConfig(env: Environment, hostName: string): Config {
  return parseEnvironment(env, (reader) => readConfig(reader, hostName))
}

/** The same in a program that reads more than that. */
export function readConfig(reader: EnvironmentReader, hostName: string): Config {
  refuseWithoutEffect(reader)
  checkRunbookUrl(reader)
  const targetPaths = readTargets(reader)
  const kind = reader.choice('AGENT_SOURCE')
  const auth = kind === 'file' ? undefined : readAuth(reader, targetPaths[0]?.component ?? '')
  const node = readNode(reader, hostName)
  const cluster = reader.matching('AGENT_CLUSTER', namePattern, "use letters, digits, '-', '.' and '_'") ?? ''
  const context = { node, cluster, method: auth?.method }
  const targets = nameTargets(reader, targetPaths, context)
  const source = readSource(reader, kind, { ...context, targets })
  const inlineAuth = reader.choice('AGENT_INLINE_AUTH') === 'on'
  if (inlineAuth && auth?.method === 'token')
    reader.problem('AGENT_INLINE_AUTH', 'has nothing to log in with: the method is token')
  return deepFreeze({
    source,
    vault: kind === 'file' ? undefined : readVaultAddress(reader),
    auth,
    inlineAuth,
    node,
    cluster,
    targets,
    pki: { mount: reader.mount('AGENT_PKI_MOUNT'), ttlSeconds: Math.round(reader.durationMs('AGENT_TTL') / 1000) },
    renewAt: reader.decimal('AGENT_RENEW_AT'),
    issuanceBudget: readIssuanceBudget(reader),
    key: { type: reader.choice('AGENT_KEY_TYPE'), reuse: reader.whole('AGENT_KEY_REUSE') },
    files: {
      mode: reader.mode('AGENT_FILE_MODE'),
      uid: reader.isSet('AGENT_FILE_UID') ? reader.whole('AGENT_FILE_UID') : undefined,
      gid: reader.isSet('AGENT_FILE_GID') ? reader.whole('AGENT_FILE_GID') : undefined,
    },
    etcdCaFile: reader.absolutePath('AGENT_ETCD_CA_FILE'),
    etcdProbe: readEtcdProbe(reader),
    ...readObservation(reader),
    ...readFallbacks(reader, targets),
    hostCni: readHostCni(reader, targets),
    onPublish: readOnPublish(reader),
  })
}

const namePattern = /^[A-Za-z0-9]([-A-Za-z0-9._]{0,251}[A-Za-z0-9])?$/

function readNode(reader: EnvironmentReader, hostName: string): string {
  const node = reader.optional('NODE_NAME')
  if (node === undefined && reader.env['KUBERNETES_SERVICE_HOST']) {
    reader.problem('NODE_NAME', 'is required in Kubernetes: set it from the downward API (fieldRef: spec.nodeName)')
  }
  const name = node ?? hostName
  if (!namePattern.test(name)) {
    reader.problem('NODE_NAME', `is ${quote(name)}; it must be the name of a node: letters, digits, '-', '.' and '_'`)
  }
  return name
}

/** Neither of them may be the directory of a target. */
function readFallbacks(
  reader: EnvironmentReader,
  targets: readonly Target[],
): Pick<Config, 'stateDirectory' | 'bootstrapDirectory'> {
  const stateDirectory = reader.absolutePath('AGENT_STATE_DIR')
  const bootstrapDirectory = reader.absolutePath('AGENT_BOOTSTRAP_DIR')
  if (bootstrapDirectory !== undefined)
    refuseSharedDirectory(reader, 'AGENT_BOOTSTRAP_DIR', [bootstrapDirectory], targets)
  if (stateDirectory !== undefined) {
    const caches = targets.map(({ component }) => join(stateDirectory, component))
    refuseSharedDirectory(reader, 'AGENT_STATE_DIR', [stateDirectory, ...caches], targets)
  }
  return { stateDirectory, bootstrapDirectory }
}

function readIssuanceBudget(reader: EnvironmentReader): number | undefined {
  const text = reader.optional('AGENT_ISSUANCE_BUDGET')
  if (text === undefined) return undefined
  if (text === 'off') return Number.POSITIVE_INFINITY
  if (/^\d{1,4}$/.test(text) && Number(text) >= 1 && Number(text) <= 1000) return Number(text)
  return reader.problem('AGENT_ISSUANCE_BUDGET', `is ${quote(text)}; it must be a whole number from 1 to 1000, or off`)
}

function deepFreeze<Value>(value: Value): Value {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const each of Object.values(value)) deepFreeze(each)
  }
  return value
}
