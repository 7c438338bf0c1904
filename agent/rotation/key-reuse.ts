/** Owns which private key the next rotation keeps: one that was made here, for as many rotations as are configured. */
import type { KeyObject } from 'node:crypto'
import type { Publisher } from './publisher.ts'

export interface KeyReuse {
  /** The key to keep; undefined: a new one. */
  next(): KeyObject | undefined
  /** A certificate for this key has been published. */
  published(key: KeyObject): void
}

/** @param limit how many rotations may keep the private key */
export function createKeyReuse(limit: number, publisher: Pick<Publisher, 'published'>): KeyReuse {
  /** A key that was found on disk is not reused: its age is not known. */
  let own: { readonly key: KeyObject; readonly kept: number } | undefined
  return {
    next() {
      if (own === undefined || own.kept >= limit) return undefined
      return publisher.published()?.bundle.key === own.key ? own.key : undefined
    },
    published(key) {
      own = { key, kept: key === own?.key ? own.kept + 1 : 0 }
    },
  }
}
