/** Owns reading everything that `doctor` needs from the environment: every problem of it at once. */
import { type CalicoVersion, parseCalicoVersionVariable } from '../../config/calico-version.ts'
import { type Config, parseConfig } from '../../config/config.ts'
import { parseEtcdEndpoints } from '../../config/etcd.ts'
import type { Environment } from '../../config/reader.ts'
import { ConfigError } from '../../core/errors.ts'

export interface DoctorConfig {
  readonly config: Config
  /** Of etcd's members, even if the agent itself does not ask them; empty if they are not named. */
  readonly endpoints: readonly string[]
  /** Of Calico; empty if nobody says. */
  readonly versions: readonly CalicoVersion[]
}

/** @throws ConfigError with every problem */
export function readDoctorConfig(env: Environment, hostName: string): DoctorConfig {
  // Readers that share a variable find the same problem in it.
  const problems = new Set<string>()
  const part = <Value>(read: () => Value): Value | undefined => {
    try {
      return read()
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      for (const problem of error.problems) problems.add(problem)
      return undefined
    }
  }
  const config = part(() => parseConfig(env, hostName))
  const endpoints = part(() => ((env['ETCD_ENDPOINTS'] ?? '').trim() === '' ? [] : parseEtcdEndpoints(env)))
  const versions = part(() => parseCalicoVersionVariable(env)) ?? []
  if (config === undefined || endpoints === undefined || problems.size > 0) throw new ConfigError([...problems])
  return { config, endpoints, versions }
}
