/**
 * Owns reading the table of profiles: which rows the Calico versions and the naming of a cluster need, as grants, and in as few
 * ranges as etcd needs. At every change etcd builds the ranges of every user anew (docs/etcd.md, "How large"): with thousands of
 * users each of them counts.
 */
import { type CalicoVersion, parseCalicoVersion } from '../../config/calico-version.ts'
import { allows, endOf, exactKey, type Grant, normalizeGrants, prefixRange, rangeId } from './grants.ts'
import { type Naming, type Profile, type Row, resources } from './profile-table.ts'

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
  const since = parseCalicoVersion(row.since ?? '') ?? 0
  const until = parseCalicoVersion(row.until ?? '') ?? Number.POSITIVE_INFINITY
  return versions.length === 0 || versions.some((version) => version >= since && version <= until)
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

/**
 * In etcd's order. Between one and the next Calico has no other key, in no version: whoever has the same right to both has it in
 * one range.
 * @see https://github.com/projectcalico/calico/tree/v3.32.1/libcalico-go/lib/backend/model
 */
const neighbors = [
  [
    prefixRange('/calico/ipam/v2/assignment/'),
    exactKey('/calico/ipam/v2/config'),
    prefixRange('/calico/ipam/v2/handle/'),
    prefixRange('/calico/ipam/v2/host/'),
  ],
  [prefixRange(`${resources}ippools/`), prefixRange(`${resources}ipreservations/`)],
]

/**
 * The same rights in as few ranges as possible.
 * @param beside what the same user may do by another role
 */
export function condense(grants: readonly Grant[], beside: readonly Grant[] = []): Grant[] {
  const needed = normalizeGrants(grants).filter((grant) => !allows(beside, grant))
  return withoutReadingTwice(normalizeGrants(neighbors.reduce(joined, needed)), beside)
}

function joined(grants: Grant[], row: (typeof neighbors)[number]): Grant[] {
  const byRange = new Map(grants.map((grant) => [rangeId(grant), grant]))
  const runs: Grant[] = []
  let open: Grant | undefined
  for (const range of row) {
    const next = byRange.get(rangeId(range))
    if (next === undefined || next.access !== open?.access) {
      if (open !== undefined) runs.push(open)
      open = next
    } else {
      open = { ...open, end: endOf(next) ?? '\0' }
    }
  }
  // What a run covers, normalizing takes out.
  return [...grants, ...runs, ...(open === undefined ? [] : [open])]
}

/** Reading and writing are two ranges to etcd. */
function withoutReadingTwice(grants: readonly Grant[], beside: readonly Grant[]): Grant[] {
  const readers = [...beside, ...grants].filter(({ access }) => access === 'read')
  return grants.map((grant) =>
    grant.access === 'readwrite' && allows(readers, { ...grant, access: 'read' })
      ? { ...grant, access: 'write' }
      : grant,
  )
}
