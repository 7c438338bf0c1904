/** Owns reading everything that `doctor` needs from the environment: every problem of it at once. */
import { type CalicoVersion, readCalicoVersions } from '../../config/calico-version.ts'
import { type Config, readConfig } from '../../config/config.ts'
import { readEndpoints } from '../../config/etcd.ts'
import type { Environment } from '../../config/reader.ts'
import { parseEnvironment } from '../../config/unknown-variables.ts'

export interface DoctorConfig {
  readonly config: Config
  /** Of etcd's members, even if the agent itself does not ask them; empty if they are not named. */
  readonly endpoints: readonly string[]
  /** Of Calico; empty if nobody says. */
  readonly versions: readonly CalicoVersion[]
}

/** @throws ConfigError with every problem */
export function readDoctorConfig(env: Environment, hostName: string): DoctorConfig {
  return parseEnvironment(env, (reader) => ({
    config: readConfig(reader, hostName),
    endpoints: reader.isSet('ETCD_ENDPOINTS') ? readEndpoints(reader) : [],
    versions: readCalicoVersions(reader),
  }))
}
