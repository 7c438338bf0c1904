/** Owns reading the table of profiles: which rows the Calico versions and the naming of a cluster need, as grants. */
import { type CalicoVersion, parseCalicoVersion } from '../../config/calico-version.ts'
import { condense } from './condense.ts'
import { exactKey, type Grant, normalizeGrants, prefixRange } from './grants.ts'
import type { Naming, Profile, Row } from './profile-table.ts'

/** What a cluster wants of the profiles. */
export interface Choice {
  readonly naming: Naming
  /** Of Calico, all that run at the same time: their union is granted. Empty: of every version that the table knows. */
  readonly versions: readonly CalicoVersion[]
  /** Per-node naming without the keys of the whole cluster that are written only at the first start and at an upgrade. */
  readonly strict: boolean
}

export function isNeeded(row: Row, { naming, versions, strict }: Choice): boolean {
  if (row.naming !== undefined && row.naming !== naming) return false
  if (strict && naming === 'node' && row.relaxed === true) return false
  const since = row.since === undefined ? undefined : parseCalicoVersion(row.since)
  const until = row.until === undefined ? undefined : parseCalicoVersion(row.until)
  const isOf = (version: CalicoVersion): boolean =>
    (since === undefined || version >= since) && (until === undefined || version <= until)
  return versions.length === 0 || versions.some(isOf)
}

/** The minor versions that the table tells apart, from the one before its first boundary to the one of its last. */
export function versionsIn({ rows }: Profile): readonly CalicoVersion[] {
  const named = rows
    .flatMap(({ since, until }) => [since, until])
    .map((text) => parseCalicoVersion(text ?? ''))
    .filter((version) => version !== undefined)
  if (named.length === 0) return []
  const first = Math.min(...named) - 1
  return Array.from({ length: Math.max(...named) - first + 1 }, (_, index) => first + index)
}

/** The two roles of a component: what all its users share, and what only the user of `node` has. */
export interface ProfileGrants {
  readonly shared: readonly Grant[]
  readonly ofNode: (node: string) => readonly Grant[]
}

/** As the table says it. */
export function rightsOf(profile: Profile, choice: Choice): ProfileGrants {
  const naming = namingOf(profile, choice)
  const rows = profile.rows.filter((row) => isNeeded(row, { ...choice, naming }))
  const own = rows.filter(({ keys }) => keys.includes('{node}'))
  return {
    shared: normalizeGrants(rows.filter((row) => !own.includes(row)).map((row) => grantOf(row, ''))),
    ofNode: (node) => normalizeGrants(own.map((row) => grantOf(row, node))),
  }
}

/** As the roles hold it: the same in fewer ranges. One user more in the whole cluster costs etcd nothing, so its role is as the table. */
export function grantsOf(profile: Profile, choice: Choice): ProfileGrants {
  const rights = rightsOf(profile, choice)
  if (namingOf(profile, choice) === 'component') return rights
  const shared = condense(rights.shared)
  return { shared, ofNode: (node) => condense(rights.ofNode(node), shared) }
}

/** What runs once in the cluster has one user in both namings, and so the rights of the one-user naming. */
function namingOf({ scope }: Profile, { naming }: Choice): Naming {
  return scope === 'cluster' ? 'component' : naming
}

function grantOf({ access, keys }: Row, node: string): Grant {
  // Not String.replace with a text: a `$` in a name would mean something there.
  const key = keys.split('{node}').join(node)
  return { access, ...(key.endsWith('*') ? prefixRange(key.slice(0, -1)) : exactKey(key)) }
}

/** What is wrong with the keys of a row, as the rest of a sentence; undefined if nothing is. */
export function keysProblem(keys: string, scope: Profile['scope']): string | undefined {
  if (!keys.startsWith('/') && !/^[a-z]/.test(keys)) return 'must start with a slash or a letter'
  if (!/^[\x21-\x7e]+$/.test(keys)) return 'must be printable ASCII without spaces'
  if (keys.slice(0, -1).includes('*')) return 'may have a star only at its end'
  // The name of a node may go on after a dot.
  if (keys.endsWith('*') && !/(\/|[^}]\.)\*$/.test(keys))
    return 'must end with /* (or .*, but after {node}) to mean a prefix: a bare * also matches longer names'
  const holes = keys.match(/\{[^}]*\}?|\}/g) ?? []
  if (holes.some((hole) => hole !== '{node}')) return 'knows no other placeholder than {node}'
  if (holes.length > 0 && scope === 'cluster') return 'uses {node}, which only a profile of scope node has'
  return undefined
}
