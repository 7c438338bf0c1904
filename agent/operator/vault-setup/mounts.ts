/** Owns planning the two mounts: whether they are there, of the right type, and ours (docs/adr/0010). Pure. */
import type { Mount } from './actual.ts'
import type { Change, Difference, Table } from './changes.ts'
import { ownerMark, ownerOf, type Setup } from './setup.ts'

interface MountPlan {
  readonly changes: readonly Change[]
  readonly refusals: readonly string[]
}

/** @param adopt take over a mount that setup-vault did not make */
export function planMount(setup: Setup, table: Table, found: Mount | undefined, adopt: boolean): MountPlan {
  const isAuth = table === 'auth'
  const { mount } = isAuth ? setup.auth : setup.pki
  const type = isAuth ? setup.auth.method : 'pki'
  const { ca } = setup.pki
  const where = `${isAuth ? 'auth/' : ''}${mount}/`
  const refuse = (why: string): MountPlan => ({ changes: [], refusals: [why] })
  const isExisting = !isAuth && ca.from === 'existing'
  if (found === undefined) {
    if (isExisting)
      return refuse(`there is no ${where}, and pki.ca is existing; enable it with its CA, or say root or intermediate`)
    const config = isAuth || ca.from === 'existing' ? {} : { config: { max_lease_ttl: `${ca.ttlSeconds}s` } }
    return {
      changes: [{ do: 'enable', table, mount, body: { type, description: ownerOf(setup), ...config } }],
      refusals: [],
    }
  }
  if (found.type !== type) return refuse(`${where} is of the type ${found.type}, not ${type}; name another mount`)
  const isOwn = found.description === ownerOf(setup)
  if (!isOwn && found.description.startsWith(ownerMark)) {
    const other = found.description.slice(ownerMark.length)
    // Also with --adopt: names of nodes repeat from cluster to cluster, and each etcd trusts all that its CA has signed.
    return refuse(`${where} belongs to the cluster ${other}; every cluster needs mounts of its own`)
  }
  if (isExisting) return { changes: [], refusals: [] }
  const tuned: Difference[] = []
  if (!isOwn) {
    if (!adopt) return refuse(foreignMount(where, found.description, isAuth))
    tuned.push({ field: 'description', before: found.description, after: ownerOf(setup) })
  }
  // Raised, never lowered: whoever made it longer had a reason.
  if (!isAuth && ca.from !== 'existing' && found.maxTtlSeconds < ca.ttlSeconds) {
    tuned.push({ field: 'max_lease_ttl', before: `${found.maxTtlSeconds}s`, after: `${ca.ttlSeconds}s` })
  }
  return { changes: tuned.length === 0 ? [] : [{ do: 'tune', table, mount, differences: tuned }], refusals: [] }
}

function foreignMount(where: string, description: string, isAuth: boolean): string {
  const said = description === '' ? 'has no description' : `says of itself ${JSON.stringify(description)}`
  const other = isAuth ? 'name another auth.mount' : 'name another pki.mount, say ca: existing to use it as it is'
  return `${where} was not made by setup-vault (it ${said}); ${other}, or take it over with --adopt`
}
