/** Owns the configuration of `provision watch`: whose certificate it uses for etcd, and where the Kubernetes API is. */
import { isIPv6 } from 'node:net'
import { join, normalize } from 'node:path'
import { type CalicoVersion, readCalicoVersions } from './calico-version.ts'
import { type Config, readConfig } from './config.ts'
import { type EtcdAddress, parseProvisionConfig, readEndpoints, readEtcdAddress } from './etcd.ts'
import { type Observation, readObservation } from './observation.ts'
import { type Environment, type EnvironmentReader, quote } from './reader.ts'
import { parseEnvironment, refuseAgentVariables } from './unknown-variables.ts'

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
const component = 'calico-provisioner'

/** @throws ConfigError with every problem */
export function parseWatchConfig(given: Environment, hostName: string, fromKubernetes: boolean): WatchConfig {
  const isSet = (name: string): boolean => (given[name] ?? '').trim() !== ''
  const env = isSet('AGENT_TARGETS') || isSet('AGENT_COMPONENT') ? given : { ...given, AGENT_COMPONENT: component }
  return parseEnvironment(env, (reader) => {
    const usesAgent = reader.isSet('VAULT_ADDR') || reader.text('AGENT_SOURCE') === 'file'
    const agent = usesAgent ? readConfig(reader, hostName) : undefined
    const files = readEtcdFiles(reader, reader.problems.length === 0 ? agent?.targets[0]?.directory : undefined)
    if (agent === undefined) {
      refuseAgentVariables(reader)
      // The agent makes these files later; those of somebody else must be there.
      readEtcdAddress(reader)
    } else {
      readEndpoints(reader)
      const what = 'has no effect here: provision watch itself is the consumer of its certificate'
      if (reader.isSet('AGENT_ON_PUBLISH')) reader.problem('AGENT_ON_PUBLISH', what)
    }
    const { listen, log } = agent ?? readObservation(reader)
    return {
      agent,
      versions: readCalicoVersions(reader),
      listen,
      log,
      readEtcd: () => parseProvisionConfig({ ...env, ...files }).etcd,
      etcdFiles: Object.values(files),
      kubernetes: fromKubernetes ? readKubernetes(reader) : undefined,
    }
  })
}

/** The files that etcd is spoken to with: those of the agent, if there is one. */
function readEtcdFiles(reader: EnvironmentReader, directory: string | undefined): Readonly<Record<string, string>> {
  const names = { ETCD_CA_CERT_FILE: 'etcd-ca', ETCD_CERT_FILE: 'etcd-cert', ETCD_KEY_FILE: 'etcd-key' } as const
  const files = Object.entries(names).map(([name, file]) => {
    const given = reader.optional(name as keyof typeof names)
    const own = directory && join(directory, file)
    if (given !== undefined && own !== undefined && name !== 'ETCD_CA_CERT_FILE' && normalize(given) !== own) {
      reader.problem(name, `is not the agent's ${own}: unset it, or unset VAULT_ADDR to use your own files`)
    }
    return [name, given ?? own ?? '']
  })
  return Object.fromEntries(files) as Record<string, string>
}

function readKubernetes(reader: EnvironmentReader): KubeAddress | undefined {
  const { KUBERNETES_SERVICE_HOST: host = '', KUBERNETES_SERVICE_PORT: port = '' } = reader.env
  const origin = `https://${isIPv6(host) ? `[${host}]` : host}:${port}`
  if (host === '' || port === '') {
    const what = 'and KUBERNETES_SERVICE_PORT are set in every pod; outside Kubernetes use --nodes-file'
    return reader.problem('KUBERNETES_SERVICE_HOST', what)
  }
  if (!URL.canParse(origin)) {
    return reader.problem('KUBERNETES_SERVICE_HOST', `and KUBERNETES_SERVICE_PORT make no address: ${quote(origin)}`)
  }
  const directory = reader.absolutePath('AGENT_KUBERNETES_DIR') ?? ''
  return { origin, tokenFile: join(directory, 'token'), caFile: join(directory, 'ca.crt') }
}
