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
import { parseProfiles } from '../operator/etcd/profile-file.ts'
import { builtInProfiles, type Profile } from '../operator/etcd/profile-table.ts'
import { etcdctlScript } from '../operator/etcd/script.ts'
import { exitCodes } from './exit.ts'
import { readNodes } from './options.ts'
import { onEtcd } from './provision-etcd.ts'
import { checkComponents, checkNodes, type ProvisionOptions } from './provision-options.ts'
import { refuseUnasked } from './terminal.ts'

export async function provision(options: ProvisionOptions): Promise<number> {
  // grpc-js names the TLS server by its address; Node says on standard error that RFC 6066 has no addresses there.
  process.noDeprecation = true
  if (options.action === 'apply') refuseUnasked('provision apply', options)
  if (options.action === 'export') return await exportScript(options)
  if (options.action === 'watch') {
    // Agent, metrics and HTTP: only for what stays.
    const { watch } = await import('./provision-watch.ts')
    return await watch(options, readProfiles(options, []))
  }
  const config = parseProvisionConfig(withEtcdctl({ ...process.env, ...options.connection }))
  const pools = options.defaults ? parseWantedPools(process.env) : undefined
  const desired = await readDesired(options, config.versions)
  return await onEtcd({ action: options.action, config, desired, options, pools })
}

async function exportScript(options: ProvisionOptions): Promise<number> {
  const desired = await readDesired(options, parseCalicoVersionVariable(process.env))
  const operator = options.enableAuth ? readOperator(withEtcdctl({ ...process.env, ...options.connection })) : undefined
  process.stdout.write(etcdctlScript(desired, { version, operator }))
  return exitCodes.ok
}

async function readDesired(options: ProvisionOptions, versions: readonly CalicoVersion[]): Promise<DesiredState> {
  const problems: string[] = []
  const nodes = await readNodes(options, problems)
  const profiles = readProfiles(options, problems)
  checkNodes(options, profiles)
  const { components, naming, strict } = options
  return desiredState({ profiles, components, naming, nodes, versions, strict })
}

/**
 * The built-in profiles and those of --profiles.
 * @param problems found before
 * @throws ConfigError with every problem; UsageError if a component has no profile
 */
function readProfiles(
  { profilesFile: file, components }: ProvisionOptions,
  problems: readonly string[],
): Readonly<Record<string, Profile>> {
  const { profiles: own, problems: found } = file === undefined ? { profiles: {}, problems: [] } : readProfileFile(file)
  const all = [...problems, ...found]
  if (all.length > 0) throw new ConfigError(all)
  const profiles = { ...builtInProfiles, ...own }
  checkComponents(components, Object.keys(profiles))
  return profiles
}

function readProfileFile(file: string): ReturnType<typeof parseProfiles> {
  try {
    const { profiles, problems } = parseProfiles(readSmallFile(systemFiles, file))
    const builtIn = Object.keys(profiles).filter((name) => Object.hasOwn(builtInProfiles, name))
    return {
      profiles,
      problems: [
        ...problems.map((problem) => `${file}:${problem}`),
        ...builtIn.map((name) => `${file}: the profile ${name} is built in; use another name`),
      ],
    }
  } catch (error) {
    return { profiles: {}, problems: [`--profiles: ${messageOf(error)}`] }
  }
}
