/**
 * Owns saying what the user of a node may do in as few ranges as etcd needs. At every change etcd builds the ranges of every user
 * anew (docs/etcd.md, "How large"): with thousands of users each of them counts.
 */
import { allows, endOf, exactKey, type Grant, normalizeGrants, prefixRange, rangeId } from './grants.ts'
import { resources } from './profile-table.ts'

/**
 * In etcd's order. Between one and the next Calico has no other key, in no version: whoever has the same right to both has it in
 * one range.
 * @see https://github.com/projectcalico/calico/tree/v3.32.1/libcalico-go/lib/backend/model
 */
const neighbours = [
  [
    prefixRange('/calico/ipam/v2/assignment/'),
    exactKey('/calico/ipam/v2/config'),
    prefixRange('/calico/ipam/v2/handle/'),
    prefixRange('/calico/ipam/v2/host/'),
  ],
  [prefixRange(`${resources}ippools/`), prefixRange(`${resources}ipreservations/`)],
]

/** @param beside what the same user may do by another role */
export function condense(grants: readonly Grant[], beside: readonly Grant[] = []): Grant[] {
  const needed = normalizeGrants(grants).filter((grant) => !allows(beside, grant))
  return withoutReadingTwice(normalizeGrants(neighbours.reduce(joined, needed)), beside)
}

function joined(grants: Grant[], row: (typeof neighbours)[number]): Grant[] {
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
