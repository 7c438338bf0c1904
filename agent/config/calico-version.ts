/** Owns versions of Calico as far as they matter here: the minor version. */
import { type Environment, type EnvironmentReader, quote } from './reader.ts'
import { parseEnvironment } from './unknown-variables.ts'

/** `major.minor` as one comparable number. */
export type CalicoVersion = number

/** Of `v3.32.1`, `3.32` and the like; undefined if the text is no version. */
export function parseCalicoVersion(text: string): CalicoVersion | undefined {
  const match = /^v?(\d{1,3})\.(\d{1,4})(\.\d+.*)?$/.exec(text.trim())
  return match === null ? undefined : Number(match[1]) * 10_000 + Number(match[2])
}

/** Of a list with commas, each once; undefined if any of them is no version. */
export function parseCalicoVersions(text: string): readonly CalicoVersion[] | undefined {
  const versions = text.split(',').map(parseCalicoVersion)
  return versions.includes(undefined) ? undefined : [...new Set(versions as CalicoVersion[])]
}

/** AGENT_CALICO_VERSION, for what never contacts etcd. @throws ConfigError */
export function parseCalicoVersionVariable(env: Environment): readonly CalicoVersion[] {
  return parseEnvironment(env, readCalicoVersions)
}

export function readCalicoVersions(reader: EnvironmentReader): readonly CalicoVersion[] {
  const text = reader.optional('AGENT_CALICO_VERSION')
  const versions = text === undefined ? [] : parseCalicoVersions(text)
  if (versions === undefined) {
    const what = 'it must be a version of Calico such as v3.32.1, or several with commas'
    reader.problem('AGENT_CALICO_VERSION', `is ${quote(text ?? '')}; ${what}`)
  }
  return versions ?? []
}

/** `v3.32`. */
export function describeCalicoVersion(version: CalicoVersion): string {
  return `v${Math.floor(version / 10_000)}.${version % 10_000}`
}
