/** Owns tokens: making them, finding the live ones, ending them. Batch tokens have no accessor and cannot be renewed or revoked. */
import { randomBytes } from 'node:crypto'
import type { Flavour } from './state.ts'

export interface TokenEntry {
  readonly id: string
  readonly accessor: string
  readonly type: 'service' | 'batch'
  readonly policies: readonly string[]
  readonly displayName: string
  readonly metadata: Readonly<Record<string, string>> | null
  readonly path: string
  readonly entityId: string
  readonly isOrphan: boolean
  readonly isRenewable: boolean
  readonly creationTtlSeconds: number
  readonly maxTtlSeconds: number
  readonly explicitMaxTtlSeconds: number
  readonly periodSeconds: number
  readonly createdAtMs: number
  /** Undefined: never. */
  expiresAtMs: number | undefined
  /** 0: no limit. */
  numUses: number
}

export type NewToken = Omit<
  TokenEntry,
  'id' | 'accessor' | 'createdAtMs' | 'expiresAtMs' | 'numUses' | 'isRenewable'
> & {
  readonly isRenewable?: boolean
  readonly numUses?: number
}

export interface Tokens {
  create(token: NewToken): TokenEntry
  /** The entry of a token that is alive. */
  find(id: string): TokenEntry | undefined
  /** Counts one use of a token with limited uses. */
  use(entry: TokenEntry): void
  /** Returns the granted TTL. */
  renew(entry: TokenEntry, incrementSeconds: number): number
  revoke(entry: TokenEntry): void
}

const prefixes = {
  vault: { service: 'hvs.', batch: 'hvb.' },
  openbao: { service: 's.', batch: 'b.' },
} as const

export function createTokens(now: () => number, flavour: Flavour): Tokens {
  const entries = new Map<string, TokenEntry>()
  return {
    create(token) {
      const isBatch = token.type === 'batch'
      const random = randomBytes(isBatch ? 90 : 18).toString('base64url')
      const createdAtMs = now()
      const entry: TokenEntry = {
        ...token,
        id: prefixes[flavour][token.type] + random,
        accessor: isBatch ? '' : randomBytes(18).toString('base64url'),
        isRenewable: !isBatch && token.creationTtlSeconds > 0 && (token.isRenewable ?? true),
        numUses: token.numUses ?? 0,
        createdAtMs,
        expiresAtMs: token.creationTtlSeconds === 0 ? undefined : createdAtMs + token.creationTtlSeconds * 1000,
      }
      entries.set(entry.id, entry)
      return entry
    },
    find(id) {
      const entry = entries.get(id)
      if (entry?.expiresAtMs === undefined || entry.expiresAtMs > now()) return entry
      entries.delete(id)
      return undefined
    },
    use(entry) {
      if (entry.numUses === 1) entries.delete(entry.id)
      else if (entry.numUses > 1) entry.numUses -= 1
    },
    renew(entry, incrementSeconds) {
      const wanted = entry.periodSeconds || incrementSeconds || entry.creationTtlSeconds
      const limits = [entry.explicitMaxTtlSeconds, entry.periodSeconds > 0 ? 0 : entry.maxTtlSeconds]
      const ends = limits.filter((limit) => limit > 0).map((limit) => entry.createdAtMs + limit * 1000)
      entry.expiresAtMs = Math.min(now() + wanted * 1000, ...ends)
      return Math.max(0, Math.round((entry.expiresAtMs - now()) / 1000))
    },
    revoke: (entry) => {
      entries.delete(entry.id)
    },
  }
}
