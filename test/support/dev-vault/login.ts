/** Owns turning what a login proved into a token: the entity of its alias, the TTLs of its role, and the `auth` block that says so. */
import { VaultFailure } from './failure.ts'
import { formatGoDuration } from './fields.ts'
import type { LoginGrant, Mount } from './logical.ts'
import { leaseTtls, type State } from './state.ts'
import type { TokenEntry } from './tokens.ts'

export interface Login {
  readonly entry: TokenEntry
  readonly auth: object
  readonly warnings: readonly string[]
}

export function grantToken(state: State, mount: Mount, path: string, grant: LoginGrant): Login {
  const { alias, token } = grant
  if (alias?.name === '') throw new VaultFailure(500, 'missing name in alias')
  const entity = alias === undefined ? undefined : state.identities.resolve(mount.accessor, alias.name, alias.metadata)
  const { defaultSeconds, maxSeconds } = leaseTtls(mount)
  const warnings: string[] = []
  const maxTtlSeconds = Math.min(token.maxTtlSeconds || maxSeconds, maxSeconds)
  let ttlSeconds = token.periodSeconds || token.ttlSeconds || defaultSeconds
  const limitSeconds = Math.min(maxTtlSeconds, token.explicitMaxTtlSeconds || maxTtlSeconds)
  if (token.periodSeconds === 0 && ttlSeconds > limitSeconds) {
    const [asked, limit] = [formatGoDuration(ttlSeconds), formatGoDuration(limitSeconds)]
    warnings.push(`TTL of "${asked}" exceeded the effective max_ttl of "${limit}"; TTL value is capped accordingly`)
    ttlSeconds = limitSeconds
  }
  if (token.policies.includes('root')) throw new VaultFailure(400, 'auth methods cannot create root tokens')
  const policies = [...new Set([...(token.noDefaultPolicy ? [] : ['default']), ...token.policies])].toSorted()
  const source = mount.path.slice('auth/'.length).replaceAll('/', '-')
  const entry = state.tokens.create({
    type: token.type,
    policies,
    displayName: `${source}${grant.displayName}`.replace(/-$/, ''),
    metadata: grant.metadata,
    path,
    entityId: entity?.id ?? '',
    isOrphan: true,
    creationTtlSeconds: ttlSeconds,
    maxTtlSeconds,
    explicitMaxTtlSeconds: token.explicitMaxTtlSeconds,
    periodSeconds: token.periodSeconds,
    numUses: token.numUses,
  })
  return { entry, auth: authBlock(entry, ttlSeconds), warnings }
}

/** The `auth` member of a login, token creation or renewal. */
export function authBlock(entry: TokenEntry, leaseSeconds: number): object {
  return {
    client_token: entry.id,
    accessor: entry.accessor,
    policies: entry.policies,
    token_policies: entry.policies,
    metadata: entry.metadata,
    lease_duration: leaseSeconds,
    renewable: entry.isRenewable,
    entity_id: entry.entityId,
    token_type: entry.type,
    orphan: entry.isOrphan,
    mfa_requirement: null,
    num_uses: entry.numUses,
  }
}
