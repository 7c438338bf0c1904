/** Owns grants: what one role may do with one key or one range of keys, as etcd keeps them, and how people read them. */

export type Access = 'read' | 'write' | 'readwrite'

/** Bytes are held one a character (latin1), so that any key of etcd fits and equal keys are equal texts. */
export interface KeyRange {
  readonly key: string
  /** Exclusive. Empty: the single key. A NUL: everything from `key` on. */
  readonly end: string
}

export interface Grant extends KeyRange {
  readonly access: Access
}

/** Every key that starts with `prefix`, as `clientv3.GetPrefixRangeEnd` writes it. */
export function prefixRange(prefix: string): KeyRange {
  if (prefix === '') return { key: '\0', end: '\0' }
  for (let index = prefix.length - 1; index >= 0; index--) {
    const byte = prefix.charCodeAt(index)
    if (byte < 0xff) return { key: prefix, end: prefix.slice(0, index) + String.fromCharCode(byte + 1) }
  }
  return { key: prefix, end: '\0' }
}

export function exactKey(key: string): KeyRange {
  return { key, end: '' }
}

/** etcd keeps at most one grant for each range of a role: this is what identifies it. */
export function rangeId({ key, end }: KeyRange): string {
  return `${key.length}:${key}${end}`
}

/** `/calico/…` of a prefix with a star, an exact key as it is, anything else as `[from, to)`. */
export function describeRange({ key, end }: KeyRange): string {
  if (end === '') return printable(key)
  if (key === '\0' && end === '\0') return '(every key)'
  if (prefixRange(key).end === end) return `${printable(key)}*`
  return `[${printable(key)}, ${end === '\0' ? '…' : printable(end)})`
}

function printable(key: string): string {
  return /^[\x21-\x7e]+$/.test(key) ? key : JSON.stringify(key)
}

const bits: Readonly<Record<Access, number>> = { read: 1, write: 2, readwrite: 3 }
const accesses: readonly (Access | undefined)[] = [undefined, 'read', 'write', 'readwrite']

/** Whether `access` allows nothing that `limit` does not. */
export function isWithin(access: Access, limit: Access): boolean {
  return (bits[access] & ~bits[limit]) === 0
}

export function contains(outer: KeyRange, inner: KeyRange): boolean {
  if (outer.end === '') return inner.end === '' && inner.key === outer.key
  if (inner.key < outer.key && outer.key !== '\0') return false
  if (outer.end === '\0') return true
  if (inner.end === '\0') return false
  return inner.end === '' ? inner.key < outer.end : inner.end <= outer.end
}

/**
 * Whether etcd allows `wanted` to a user with these grants of all its roles: it puts their ranges together, those for reading
 * and those for writing apart.
 * @see https://github.com/etcd-io/etcd/blob/v3.6.14/server/auth/range_perm_cache.go
 */
export function allows(held: readonly Grant[], { access, ...wanted }: Grant): boolean {
  return (['read', 'write'] as const)
    .filter((right) => isWithin(right, access))
    .every((right) => covers(held.filter((grant) => isWithin(right, grant.access)).toSorted(compareGrants), wanted))
}

/** @param ranges sorted by their first keys */
function covers(ranges: readonly KeyRange[], wanted: KeyRange): boolean {
  const end = endOf(wanted)
  let reached = wanted.key
  for (const range of ranges) {
    if (range.key > reached) return false
    const until = endOf(range)
    if (until === undefined) return true
    if (until > reached) reached = until
    if (end !== undefined && reached >= end) return true
  }
  return false
}

/** The first key after the range; undefined if there is none. */
export function endOf({ key, end }: KeyRange): string | undefined {
  if (end === '\0') return undefined
  return end === '' ? `${key}\0` : end
}

/**
 * The same rights in as few grants as etcd needs: one grant a range (etcd keeps only one), and none that another single
 * grant covers. Every grant costs etcd time at every change of a user (docs/etcd.md), so none is there twice.
 */
export function normalizeGrants(grants: readonly Grant[]): Grant[] {
  const byRange = new Map<string, Grant>()
  for (const grant of grants) {
    const id = rangeId(grant)
    const access = accesses[bits[grant.access] | bits[byRange.get(id)?.access ?? grant.access]]
    byRange.set(id, { ...grant, access: access ?? grant.access })
  }
  const merged = [...byRange.values()]
  return merged
    .filter(
      (grant) =>
        !merged.some((other) => other !== grant && contains(other, grant) && isWithin(grant.access, other.access)),
    )
    .toSorted(compareGrants)
}

export function compareGrants(a: KeyRange, b: KeyRange): number {
  return compareText(a.key, b.key) || compareText(a.end, b.end)
}

export function compareText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b)
}
