/** Owns versions of Calico as far as they matter here: the minor version. */

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

/** `v3.32`. */
export function describeCalicoVersion(version: CalicoVersion): string {
  return `v${Math.floor(version / 10_000)}.${version % 10_000}`
}
