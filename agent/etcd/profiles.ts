/** Owns reading the table of profiles: which rows one Calico version and one naming need, as grants. */
import { type CalicoVersion, parseCalicoVersion } from '../config/calico-version.ts'
import { exactKey, type Grant, normalizeGrants, prefixRange } from './grants.ts'
import type { Naming, Profile, Row } from './profile-table.ts'

/** Whether a row is needed; without a version, by any of them: the superset. */
export function isNeeded(row: Row, naming: Naming, version: CalicoVersion | undefined): boolean {
  if (row.naming !== undefined && row.naming !== naming) return false
  if (version === undefined) return true
  const since = row.since === undefined ? undefined : parseCalicoVersion(row.since)
  const until = row.until === undefined ? undefined : parseCalicoVersion(row.until)
  return (since === undefined || version >= since) && (until === undefined || version <= until)
}

/** The two roles of a component: what all its users share, and what only the user of `node` has. */
export interface ProfileGrants {
  readonly shared: readonly Grant[]
  readonly ofNode: (node: string) => readonly Grant[]
}

export function grantsOf(profile: Profile, naming: Naming, version: CalicoVersion | undefined): ProfileGrants {
  // What runs once in the cluster has one user in both namings, and so the rights of the one-user naming.
  const effective = profile.scope === 'cluster' ? 'component' : naming
  const rows = profile.rows.filter((row) => isNeeded(row, effective, version))
  const own = rows.filter(({ keys }) => keys.includes('{node}'))
  const shared = normalizeGrants(rows.filter((row) => !own.includes(row)).map((row) => grantOf(row, '')))
  return {
    shared,
    ofNode: (node) => normalizeGrants(own.map((row) => grantOf(row, node))),
  }
}

function grantOf({ access, keys }: Row, node: string): Grant {
  // Not String.replace with a text: a `$` in a name would mean something there.
  const key = keys.split('{node}').join(node)
  return { access, ...(key.endsWith('*') ? prefixRange(key.slice(0, -1)) : exactKey(key)) }
}

/** What is wrong with the keys of a row, as the rest of a sentence; undefined where nothing is. */
export function keysProblem(keys: string, scope: Profile['scope']): string | undefined {
  if (!keys.startsWith('/') && !/^[a-z]/.test(keys)) return 'must start with a slash or a letter'
  if (!/^[\x21-\x7e]+$/.test(keys)) return 'must be printable ASCII without spaces'
  if (keys.slice(0, -1).includes('*')) return 'may have a star only at its end'
  if (keys.endsWith('*') && !keys.endsWith('/*'))
    return 'must end with /* to mean a prefix: a bare * also matches longer names'
  const holes = keys.match(/\{[^}]*\}?|\}/g) ?? []
  if (holes.some((hole) => hole !== '{node}')) return 'knows no other placeholder than {node}'
  if (holes.length > 0 && scope === 'cluster') return 'uses {node}, which only a profile of scope node has'
  return undefined
}
