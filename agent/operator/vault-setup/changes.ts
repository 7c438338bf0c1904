/** Owns the single writes that a plan is made of: which there are, and what each sends where. */
import type { Difference } from './differences.ts'
import { type Fields, type Resource } from './setup.ts'

export type Table = 'auth' | 'mounts'

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

export interface Plan {
  /** In their order: each may need those before it. */
  readonly changes: readonly Change[]
  /** Why nothing may be changed at all; a sentence each. */
  readonly refusals: readonly string[]
  /** What is left alone, and what to do about it by hand. */
  readonly notes: readonly string[]
  /** The intermediate has a key and no certificate: its request is to be handed out. */
  readonly waitsForCertificate: boolean
}

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
