/** Owns the configuration of `provision watch`: whose certificate it uses for etcd, and where the Kubernetes API is. */
import { isIPv6 } from 'node:net'
import { join, normalize } from 'node:path'
import { ConfigError } from '../core/errors.ts'
import { type CalicoVersion, parseCalicoVersionVariable } from './calico-version.ts'
import { type Config, parseConfig } from './config.ts'
import { type EtcdAddress, parseEtcdEndpoints, parseProvisionConfig } from './etcd.ts'
import { type Observation, readObservation } from './observation.ts'
import { type Environment, EnvironmentReader, quote } from './reader.ts'
import { refuseAgentVariables } from './unknown-variables.ts'

export interface KubeAddress {
  /** `https://host:port` */
  readonly origin: string
  readonly tokenFile: string
  readonly caFile: string
}

export interface WatchConfig extends Observation {
  /** Undefined: the certificate comes from elsewhere. */
  readonly agent: Config | undefined
  readonly versions: readonly CalicoVersion[]
  /** The certificate files as they are now. @throws ConfigError, as they may not be there yet */
  readonly readEtcd: () => EtcdAddress
  readonly etcdFiles: readonly string[]
  /** Undefined if the nodes come from elsewhere. */
  readonly kubernetes: KubeAddress | undefined
}

/** What the provisioner is if nothing else is said: one user for the cluster, with the role root. */
const defaults = { AGENT_COMPONENT: 'calico-provisioner' }

/** @throws ConfigError with every problem */
export function parseWatchConfig(given: Environment, hostName: string, fromKubernetes: boolean): WatchConfig {
  const problems: string[] = []
  const attempt = <Value>(parse: () => Value): Value | undefined => {
    try {
      return parse()
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      for (const problem of error.problems) if (!problems.includes(problem)) problems.push(problem)
    }
  }
  const env = { ...filled(given), ...(given['AGENT_TARGETS'] ? {} : withDefaults(given)) }
  const usesAgent = env['VAULT_ADDR'] !== undefined || env['AGENT_SOURCE'] === 'file'
  const reader = new EnvironmentReader(env)
  const agent = usesAgent ? attempt(() => parseConfig(env, hostName)) : undefined
  const [target] = agent?.targets ?? []
  if (target !== undefined) {
    for (const [name, file] of Object.entries(filesIn(target.directory))) {
      if (env[name] === undefined) env[name] = file
      else if (name !== 'ETCD_CA_CERT_FILE' && normalize(env[name]) !== file) {
        reader.problem(name, `is not the agent's ${file}: unset it, or unset VAULT_ADDR to use your own files`)
      }
    }
  }
  if (!usesAgent) refuseAgentVariables(reader)
  else if (reader.isSet('AGENT_ON_PUBLISH')) {
    reader.problem('AGENT_ON_PUBLISH', 'has no effect here: provision watch itself is the consumer of its certificate')
  }
  const versions = attempt(() => parseCalicoVersionVariable(env)) ?? []
  attempt(() => parseEtcdEndpoints(env))
  // The agent makes these files later; those of somebody else must be there.
  if (!usesAgent) attempt(() => parseProvisionConfig(env))
  const observation = agent ?? readObservation(reader)
  const kubernetes = fromKubernetes ? readKubernetes(reader, env) : undefined
  problems.push(...reader.problems.filter((problem) => !problems.includes(problem)))
  if (problems.length > 0) throw new ConfigError(problems)
  return {
    agent,
    versions,
    listen: observation.listen,
    log: observation.log,
    readEtcd: () => parseProvisionConfig(env).etcd,
    etcdFiles: Object.keys(filesIn('')).map((name) => env[name] ?? ''),
    kubernetes,
  }
}

function filesIn(directory: string): Record<string, string> {
  return {
    ETCD_CA_CERT_FILE: join(directory, 'etcd-ca'),
    ETCD_CERT_FILE: join(directory, 'etcd-cert'),
    ETCD_KEY_FILE: join(directory, 'etcd-key'),
  }
}

/** An empty variable counts as unset. */
function filled(env: Environment): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined && entry[1].trim() !== ''),
  )
}

function withDefaults(env: Environment): Record<string, string> {
  return Object.fromEntries(Object.entries(defaults).map(([name, value]) => [name, env[name]?.trim() || value]))
}

function readKubernetes(reader: EnvironmentReader, env: Environment): KubeAddress | undefined {
  const host = env['KUBERNETES_SERVICE_HOST'] ?? ''
  const port = env['KUBERNETES_SERVICE_PORT'] ?? ''
  const origin = `https://${isIPv6(host) ? `[${host}]` : host}:${port}`
  if (host === '' || port === '') {
    const what = 'and KUBERNETES_SERVICE_PORT are set in every pod; outside Kubernetes use --nodes-file'
    return reader.problem('KUBERNETES_SERVICE_HOST', what)
  }
  if (!URL.canParse(origin)) {
    return reader.problem('KUBERNETES_SERVICE_HOST', `and KUBERNETES_SERVICE_PORT make no address: ${quote(origin)}`)
  }
  const directory = reader.absolutePath('AGENT_KUBERNETES_DIR') ?? reader.text('AGENT_KUBERNETES_DIR')
  return { origin, tokenFile: join(directory, 'token'), caFile: join(directory, 'ca.crt') }
}
