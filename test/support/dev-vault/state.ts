/** Owns what the development Vault remembers: mounts, policies, tokens, identities, quotas and the seal. All of it in memory. */
import { randomBytes, randomUUID } from 'node:crypto'
import { createIdentities, type Identities } from './identity.ts'
import type { Backend, Mount } from './logical.ts'
import { defaultPolicy } from './policies.ts'
import { createQuotas, type Quotas } from './quotas.ts'
import { createTokens, type Tokens } from './tokens.ts'

/** HashiCorp Vault 1.13 and OpenBao 2.6 differ in a few texts, fields and features. */
export type Flavour = 'vault' | 'openbao'

export interface State {
  readonly flavour: Flavour
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly tokens: Tokens
  readonly identities: Identities
  readonly quotas: Quotas
  /** Name to text. */
  readonly policies: Map<string, string>
  readonly mounts: Mount[]
  readonly rootToken: string
  readonly unsealKey: string
  isSealed: boolean
  /** As Vault 1.21 and newer: no certificate begins before its issuer, and issuers begin when they are made. */
  refusesYoungIssuers: boolean
}

/** 768 hours: Vault's own. */
export const systemMaxTtlSeconds = 32 * 86_400

export function createState(flavour: Flavour, now: () => number): State {
  const tokens = createTokens(now, flavour)
  const root = tokens.create({
    type: 'service',
    policies: ['root'],
    displayName: 'root',
    metadata: null,
    path: 'auth/token/root',
    entityId: '',
    isOrphan: true,
    creationTtlSeconds: 0,
    maxTtlSeconds: 0,
    explicitMaxTtlSeconds: 0,
    periodSeconds: 0,
  })
  return {
    flavour,
    now,
    tokens,
    identities: createIdentities(),
    quotas: createQuotas(now),
    policies: new Map([
      ['default', defaultPolicy],
      ['root', ''],
    ]),
    mounts: [],
    rootToken: root.id,
    unsealKey: randomBytes(32).toString('hex'),
    isSealed: false,
    refusesYoungIssuers: false,
  }
}

export interface NewMount {
  readonly path: string
  readonly type: string
  readonly backend: (mount: { accessor: string; path: string }) => Backend
  readonly description?: string
  readonly options?: Readonly<Record<string, string>> | null
  readonly defaultLeaseTtlSeconds?: number
  readonly maxLeaseTtlSeconds?: number
}

export function addMount(state: State, { path, type, backend, ...rest }: NewMount): Mount {
  const kind = path.startsWith('auth/') ? `auth_${type}` : type
  const accessor = `${kind}_${randomBytes(4).toString('hex')}`
  const mount: Mount = {
    path,
    type,
    accessor,
    uuid: randomUUID(),
    description: rest.description ?? '',
    options: rest.options ?? null,
    defaultLeaseTtlSeconds: rest.defaultLeaseTtlSeconds ?? 0,
    maxLeaseTtlSeconds: rest.maxLeaseTtlSeconds ?? 0,
    backend: backend({ accessor, path }),
  }
  state.mounts.push(mount)
  return mount
}

/** The mount with the longest matching path. */
export function findMount(state: State, path: string): Mount | undefined {
  return state.mounts
    .filter((mount) => path.startsWith(mount.path) || `${path}/` === mount.path)
    .toSorted((a, b) => b.path.length - a.path.length)[0]
}

export interface LeaseTtls {
  readonly defaultSeconds: number
  readonly maxSeconds: number
}

export function leaseTtls(mount: Mount): LeaseTtls {
  const maxSeconds = mount.maxLeaseTtlSeconds || systemMaxTtlSeconds
  return { defaultSeconds: Math.min(mount.defaultLeaseTtlSeconds || systemMaxTtlSeconds, maxSeconds), maxSeconds }
}
