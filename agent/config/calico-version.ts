/** Owns versions of Calico as far as they matter here: the minor version. */

/** `major.minor` as one comparable number. */
export type CalicoVersion = number

/** Of `v3.32.1`, `3.32` and the like; undefined where the text is no version. */
export function parseCalicoVersion(text: string): CalicoVersion | undefined {
  const match = /^v?(\d{1,3})\.(\d{1,4})(\.\d+.*)?$/.exec(text.trim())
  return match === null ? undefined : Number(match[1]) * 10_000 + Number(match[2])
}
