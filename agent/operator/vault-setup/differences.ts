/** Owns comparing what is wanted at a path with what Vault shows of it: Vault fills in, trims and reorders. Pure. */
import { isDeepStrictEqual } from 'node:util'
import { type Fields } from './setup.ts'

export interface Difference {
  readonly field: string
  /** Undefined: not there. */
  readonly before: unknown
  readonly after: unknown
}

/**
 * @param held undefined: there is nothing at the path
 * @param isIgnored fields that are not compared where Vault does not show them
 */
export function differences(
  wanted: Fields,
  held: Fields | undefined,
  isIgnored: (field: string) => boolean,
): Difference[] {
  return Object.entries(wanted).flatMap(([field, after]) => {
    const before = held?.[field]
    if (held === undefined) return [{ field, before, after }]
    if (before === undefined && isIgnored(field)) return []
    return isSame(before, after) ? [] : [{ field, before, after }]
  })
}

/** What Vault does not show is empty: a list, a text, a flag, a number. */
function isSame(before: unknown, after: unknown): boolean {
  if (isEmpty(after)) return isEmpty(before)
  return isDeepStrictEqual(normal(before), normal(after))
}

export function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === '' || value === false || value === 0) return true
  return typeof value === 'object' && Object.keys(value).length === 0
}

/** All lists here are sets. */
function normal(value: unknown): unknown {
  if (typeof value === 'string') return value.trim()
  if (Array.isArray(value)) return value.map((each) => JSON.stringify(normal(each))).toSorted()
  return value
}
