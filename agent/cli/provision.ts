/**
 * Owns the command `provision`, and the bundle dist/provision.mjs that is loaded for it alone: etcd3 and yaml would cost every
 * sidecar memory that only this command needs.
 */
import { parseWantedPools } from '../config/calico-pools.ts'
import { type CalicoVersion, parseCalicoVersionVariable } from '../config/calico-version.ts'
import { parseProvisionConfig, readOperator } from '../config/etcd.ts'
import { withEtcdctl } from '../config/tool-variables.ts'
import { ConfigError, messageOf } from '../core/errors.ts'
import { readSmallFile, systemFiles } from '../core/files.ts'
import { version } from '../core/version.ts'
import { type DesiredState, desiredState } from '../operator/etcd/desired.ts'
import { checkNodeNames, parseNodeNames } from '../operator/etcd/nodes.ts'
import { parseProfiles } from '../operator/etcd/profile-file.ts'
import { builtInProfiles, type Profile } from '../operator/etcd/profile-table.ts'
import { etcdctlScript } from '../operator/etcd/script.ts'
import { exitCodes } from './exit-codes.ts'
import { reportFailure } from './failure.ts'
import { readNodesText, refuseUnanswered } from './node-options.ts'
import { onEtcd } from './provision-etcd.ts'
import { checkComponents, checkNodes, type ProvisionOptions } from './provision-options.ts'

export async function provision(options: ProvisionOptions): Promise<number> {
  try {
    // grpc-js names the TLS server by its address; Node says on standard error that RFC 6066 has no addresses there.
    process.noDeprecation = true
    if (options.action === 'apply') refuseUnanswered('provision apply', options)
    if (options.action === 'export') return await exportScript(options)
    if (options.action === 'watch') {
      // Agent, metrics and HTTP: only for what stays.
      const { watch } = await import('./provision-watch.ts')
      return await watch(options, loadProfiles(options))
    }
    const config = parseProvisionConfig(withEtcdctl({ ...process.env, ...options.connection }))
    const pools = options.defaults ? parseWantedPools(process.env) : undefined
    const desired = await readDesired(options, config.versions)
    return await onEtcd({ action: options.action, config, desired, options, pools })
  } catch (error) {
    return reportFailure(error, `provision ${options.action}`)
  }
}

async function exportScript(options: ProvisionOptions): Promise<number> {
  const desired = await readDesired(options, parseCalicoVersionVariable(process.env))
  const operator = options.enableAuth ? readOperator(withEtcdctl({ ...process.env, ...options.connection })) : undefined
  process.stdout.write(etcdctlScript(desired, { version, operator }))
  return exitCodes.ok
}

async function readDesired(options: ProvisionOptions, versions: readonly CalicoVersion[]): Promise<DesiredState> {
  const problems: string[] = []
  const profiles = readProfiles(options.profilesFile, problems)
  const nodes = await readNodes(options, problems)
  if (problems.length > 0) throw new ConfigError(problems)
  checkComponents(options.components, Object.keys(profiles))
  checkNodes(options, profiles)
  return desiredState({
    profiles,
    components: options.components,
    naming: options.naming,
    nodes,
    versions,
    strict: options.strict,
  })
}

function loadProfiles({ profilesFile, components }: ProvisionOptions): Readonly<Record<string, Profile>> {
  const problems: string[] = []
  const profiles = readProfiles(profilesFile, problems)
  if (problems.length > 0) throw new ConfigError(problems)
  checkComponents(components, Object.keys(profiles))
  return profiles
}

function readProfiles(file: string | undefined, problems: string[]): Readonly<Record<string, Profile>> {
  if (file === undefined) return builtInProfiles
  try {
    const { profiles, problems: found } = parseProfiles(readSmallFile(systemFiles, file))
    problems.push(...found.map((problem) => `${file}:${problem}`))
    for (const name of Object.keys(profiles)) {
      if (Object.hasOwn(builtInProfiles, name))
        problems.push(`${file}: the profile ${name} is built in; use another name`)
    }
    return { ...builtInProfiles, ...profiles }
  } catch (error) {
    problems.push(`--profiles: ${messageOf(error)}`)
    return builtInProfiles
  }
}

async function readNodes(
  { nodesFile, nodes, naming }: ProvisionOptions,
  problems: string[],
): Promise<readonly string[]> {
  if (naming === 'component' || (nodes.length === 0 && nodesFile === undefined)) return []
  try {
    const text = nodesFile === undefined ? '' : await readNodesText(nodesFile)
    const read = parseNodeNames(text)
    // Again with both: two names may collide only together.
    const all = checkNodeNames([...nodes, ...read.names])
    problems.push(...all.problems.map((problem) => `--nodes-file: ${problem}`))
    // An empty list with --prune would remove every node's users: a file that could not be written in time looks like that.
    if (all.names.length === 0) problems.push(`--nodes-file: ${nodesFile ?? ''} names no node`)
    return all.names
  } catch (error) {
    problems.push(`--nodes-file: ${messageOf(error)}`)
    return []
  }
}
