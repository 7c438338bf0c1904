/**
 * Owns the single writes that a plan is made of: which there are, what each sends to which path, and comparing what is wanted at a path
 * with what Vault shows of it: Vault fills in, trims and reorders. Pure.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Plan } from '../engine/bring-in-step.ts'
import type { Fields, Resource } from './setup.ts'

export type Table = 'auth' | 'mounts'

export interface Difference {
  readonly field: string
  /** Undefined: not there. */
  readonly before: unknown
  readonly after: unknown
}

export type Change =
  | { readonly do: 'enable'; readonly table: Table; readonly mount: string; readonly body: Fields }
  | { readonly do: 'tune'; readonly table: Table; readonly mount: string; readonly differences: readonly Difference[] }
  | {
      readonly do: 'generate-root' | 'generate-key' | 'import-certificate'
      readonly mount: string
      readonly body: Fields
    }
  | {
      readonly do: 'write'
      readonly resource: Resource
      readonly body: Fields
      readonly isNew: boolean
      readonly differences: readonly Difference[]
    }

export type VaultPlan = Plan<Change>

/** Where a change is written. */
export function pathOf(change: Change): string {
  switch (change.do) {
    case 'enable':
      return `sys/${change.table}/${change.mount}`
    case 'tune':
      return `sys/${change.table}/${change.mount}/tune`
    case 'generate-root':
      return `${change.mount}/root/generate/internal`
    case 'generate-key':
      return `${change.mount}/intermediate/generate/internal`
    case 'import-certificate':
      return `${change.mount}/intermediate/set-signed`
    case 'write':
      return change.resource.path
  }
}

export function bodyOf(change: Change): Fields {
  return change.do === 'tune'
    ? Object.fromEntries(change.differences.map(({ field, after }) => [field, after]))
    : change.body
}

/**
 * @param held undefined: there is nothing at the path
 * @param isIgnored fields that are not compared if Vault does not show them
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
