/** Owns the configuration: the environment becomes one frozen, typed value, or every problem at once. */
import { isIPv6 } from 'node:net'
import { ConfigError } from '../core/errors.ts'
import { type KeyType, keyTypes } from '../pki/key.ts'
import { type Auth, readAuth } from './auth.ts'
import { type EtcdProbeConfig, readEtcdProbe } from './etcd-endpoints.ts'
import { type HostCniConfig, readHostCni } from './host-cni.ts'
import { type OnPublishConfig, readOnPublish } from './on-publish.ts'
import { type Environment, EnvironmentReader, quote, refusedPathProblem } from './reader.ts'
import { readSource, readSourceKind, type SourceConfig } from './source.ts'
import { nameTargets, readTargets, refuseSharedDirectories, type Target } from './target.ts'
import { refuseUnknown, refuseWithoutEffect } from './unknown-variables.ts'
import { readVaultAddress, type VaultAddress } from './vault.ts'

export type { Target } from './target.ts'

export interface Config {
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
  readonly listen: { readonly host: string; readonly port: number } | undefined
  /** Without a format: readable on a terminal, else JSON. */
  readonly log: { readonly level: 'debug' | 'info' | 'warn' | 'error'; readonly format: 'json' | 'pretty' | undefined }
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
  const reader = new EnvironmentReader(env)
  refuseUnknown(reader, env)
  refuseWithoutEffect(reader)
  checkRunbookUrl(reader)
  const targetPaths = readTargets(reader)
  const kind = readSourceKind(reader)
  const auth = kind === 'file' ? undefined : readAuth(reader, targetPaths[0]?.component ?? '')
  const node = readNode(reader, env, hostName)
  const cluster = readCluster(reader)
  const targets = nameTargets(reader, targetPaths, { node, cluster, method: auth?.method })
  const knowsNodeUid = auth?.method === 'kubernetes' || auth?.method === 'jwt'
  const mount = reader.text('AGENT_PKI_MOUNT')
  const mountProblem = refusedPathProblem(mount)
  if (mountProblem !== undefined) reader.problem('AGENT_PKI_MOUNT', mountProblem)
  const inlineAuth = reader.choice('AGENT_INLINE_AUTH', ['off', 'on']) === 'on'
  if (inlineAuth && auth?.method === 'token')
    reader.problem('AGENT_INLINE_AUTH', 'has nothing to log in with: the method is token')
  const config: Config = {
    source: readSource(reader, kind, { targets, node, cluster, knowsNodeUid }),
    vault: kind === 'file' ? undefined : readVaultAddress(reader),
    auth,
    inlineAuth,
    node,
    cluster,
    targets,
    pki: { mount, ttlSeconds: Math.round(reader.durationMs('AGENT_TTL', 5000, 10 * 365 * 24 * 3_600_000) / 1000) },
    renewAt: reader.number('AGENT_RENEW_AT', 0.3, 0.85, 'decimal'),
    issuanceBudget: readIssuanceBudget(reader),
    key: {
      type: reader.choice('AGENT_KEY_TYPE', keyTypes),
      reuse: reader.number('AGENT_KEY_REUSE', 0, 1000),
    },
    files: {
      mode: reader.mode('AGENT_FILE_MODE'),
      uid: reader.optionalNumber('AGENT_FILE_UID', 0, 2 ** 32 - 2),
      gid: reader.optionalNumber('AGENT_FILE_GID', 0, 2 ** 32 - 2),
    },
    etcdCaFile: reader.absolutePath('AGENT_ETCD_CA_FILE'),
    etcdProbe: readEtcdProbe(reader),
    ...readObservation(reader),
    stateDirectory: reader.absolutePath('AGENT_STATE_DIR'),
    bootstrapDirectory: reader.absolutePath('AGENT_BOOTSTRAP_DIR'),
    hostCni: readHostCni(reader, targets),
    onPublish: readOnPublish(reader),
  }
  refuseSharedDirectories(reader, targets, {
    state: config.stateDirectory,
    bootstrap: config.bootstrapDirectory,
    source: config.source.kind === 'file' ? Object.values(config.source.directories) : [],
  })
  if (reader.problems.length > 0) throw new ConfigError(reader.problems)
  return deepFreeze(config)
}

function readNode(reader: EnvironmentReader, env: Environment, hostName: string): string {
  const node = reader.optional('NODE_NAME')
  if (node === undefined && env['KUBERNETES_SERVICE_HOST']) {
    reader.problem('NODE_NAME', 'is required in Kubernetes: set it from the downward API (fieldRef: spec.nodeName)')
  }
  const name = node ?? hostName
  if (!/^[A-Za-z0-9]([-A-Za-z0-9._]{0,251}[A-Za-z0-9])?$/.test(name)) {
    reader.problem('NODE_NAME', `is ${quote(name)}; it must be the name of a node: letters, digits, '-', '.' and '_'`)
  }
  return name
}

function readCluster(reader: EnvironmentReader): string {
  const cluster = reader.text('AGENT_CLUSTER')
  if (cluster !== '' && !/^[A-Za-z0-9]([-A-Za-z0-9._]{0,251}[A-Za-z0-9])?$/.test(cluster)) {
    reader.problem('AGENT_CLUSTER', `is ${quote(cluster)}; use letters, digits, '-', '.' and '_'`)
  }
  return cluster
}

/** It becomes a link on the page and in messages (core/reason.ts). */
function checkRunbookUrl(reader: EnvironmentReader): void {
  const text = reader.optional('AGENT_RUNBOOK_URL')
  if (text === undefined) return
  const url = /^https?:\/\/[^\s"'<>#]+$/.test(text) && URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined) {
    reader.problem('AGENT_RUNBOOK_URL', `is ${quote(text)}; it must be an http or https URL without a fragment`)
  } else if (url.username + url.password !== '') {
    // Everybody who may ask for the health would read it.
    reader.problem('AGENT_RUNBOOK_URL', 'holds a user or a password in its URL; leave it out')
  }
}

/** What health, metrics and log need; even if there is no Vault. */
export function readObservation(reader: EnvironmentReader): Pick<Config, 'listen' | 'log'> {
  return {
    listen: readListen(reader),
    log: {
      level: reader.choice('AGENT_LOG_LEVEL', ['debug', 'info', 'warn', 'error']),
      format: reader.isSet('AGENT_LOG_FORMAT') ? reader.choice('AGENT_LOG_FORMAT', ['json', 'pretty']) : undefined,
    },
  }
}

function readIssuanceBudget(reader: EnvironmentReader): number | undefined {
  const text = reader.optional('AGENT_ISSUANCE_BUDGET')
  if (text === 'off') return Number.POSITIVE_INFINITY
  if (text === undefined || (/^\d{1,4}$/.test(text) && Number(text) >= 1 && Number(text) <= 1000)) {
    return text === undefined ? undefined : Number(text)
  }
  return reader.problem('AGENT_ISSUANCE_BUDGET', `is ${quote(text)}; it must be a whole number from 1 to 1000, or off`)
}

function readListen(reader: EnvironmentReader): Config['listen'] {
  const text = reader.text('AGENT_LISTEN')
  if (text === 'off') return undefined
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]*)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3])
  if (match === null || port > 65_535 || (match[1] !== undefined && !isIPv6(match[1]))) {
    return reader.problem(
      'AGENT_LISTEN',
      `is ${quote(text)}; it must be host:port such as 0.0.0.0:9879 or [::]:9879, or off`,
    )
  }
  return { host: match[1] ?? (match[2] || '0.0.0.0'), port }
}

function deepFreeze<Value>(value: Value): Value {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const each of Object.values(value)) deepFreeze(each)
  }
  return value
}
