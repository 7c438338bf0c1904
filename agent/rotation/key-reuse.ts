/** Owns which private key a rotation may keep: the one made last, for as many rotations as are configured. */
import type { KeyObject } from 'node:crypto'

export interface KeyReuse {
  /** The key to keep, given the one in place; one that was found on disk is not kept: its age is not known. */
  reusable(published: KeyObject | undefined): KeyObject | undefined
  /** This key has been published by us. */
  used(key: KeyObject): void
}

/** @param most rotations that may keep a key */
export function createKeyReuse(most: number): KeyReuse {
  let own: { readonly key: KeyObject; readonly kept: number } | undefined
  return {
    reusable: (published) => (own !== undefined && own.kept < most && published === own.key ? own.key : undefined),
    used: (key) => {
      own = { key, kept: key === own?.key ? own.kept + 1 : 0 }
    },
  }
}
