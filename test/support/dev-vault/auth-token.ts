/** Owns `auth/token/`: creating tokens and what a token may ask about itself. */
import { denied, refusal, tokenDenied } from './failure.ts'
import { durationField, flagField, has, listField, mapField, numberField, textField } from './fields.ts'
import type { Backend, Call, LogicalAnswer } from './logical.ts'
import { authBlock } from './login.ts'
import { type State, systemMaxTtlSeconds } from './state.ts'
import type { TokenEntry } from './tokens.ts'

export function createTokenBackend(state: State): Backend {
  return {
    routes: [
      { path: 'create', update: (call) => create(state, call, false) },
      { path: 'create-orphan', update: (call) => create(state, call, true) },
      { path: 'lookup-self', read: (call) => ({ data: describe(state, tokenOf(call)) }) },
      { path: 'lookup', update: (call) => ({ data: describe(state, namedToken(state, call)) }) },
      { path: 'renew-self', update: (call) => renew(state, call, tokenOf(call)) },
      { path: 'renew', update: (call) => renew(state, call, namedToken(state, call)) },
      { path: 'revoke-self', update: (call) => revoke(state, tokenOf(call)) },
      { path: 'revoke', update: (call) => revoke(state, namedToken(state, call)) },
    ],
  }
}

function create(state: State, { data, token }: Call, isOrphanPath: boolean): LogicalAnswer {
  if (token === undefined) throw tokenDenied()
  const isRoot = token.policies.includes('root')
  const type = textField(data, 'type', 'service')
  if (token.type === 'batch') throw refusal('batch tokens cannot create more tokens')
  if (type !== 'service' && type !== 'batch') throw refusal(`type "${type}" is unknown`)
  const asked = has(data, 'policies') ? listField(data, 'policies') : [...token.policies]
  if (!isRoot && asked.some((policy) => policy !== 'default' && !token.policies.includes(policy))) {
    throw refusal('child policies must be subset of parent')
  }
  const isRootToken = asked.includes('root')
  const hasDefault = !isRootToken && !flagField(data, 'no_default_policy')
  const [numUses, periodSeconds] = [numberField(data, 'num_uses'), durationField(data, 'period')]
  if (type === 'batch' && (numUses !== 0 || periodSeconds !== 0 || isRootToken)) {
    const what = isRootToken ? 'be root tokens' : numUses === 0 ? 'have "period" set' : 'have "num_uses" set'
    throw refusal(`batch tokens cannot ${what}`)
  }
  const explicitMaxTtlSeconds = durationField(data, 'explicit_max_ttl')
  const ttlSeconds = periodSeconds || durationField(data, 'ttl') || (isRootToken ? 0 : systemMaxTtlSeconds)
  const entry = state.tokens.create({
    type,
    policies: [...new Set([...(hasDefault ? ['default'] : []), ...asked])].toSorted(),
    displayName: `token${has(data, 'display_name') ? `-${textField(data, 'display_name')}` : ''}`,
    metadata: has(data, 'meta') ? (mapField(data, 'meta') as Record<string, string>) : null,
    path: 'auth/token/create',
    entityId: '',
    isOrphan: isOrphanPath || flagField(data, 'no_parent'),
    isRenewable: flagField(data, 'renewable', true),
    creationTtlSeconds: Math.min(ttlSeconds, explicitMaxTtlSeconds || systemMaxTtlSeconds),
    maxTtlSeconds: systemMaxTtlSeconds,
    explicitMaxTtlSeconds,
    periodSeconds,
    numUses,
  })
  const unknown = asked.filter((policy) => !state.policies.has(policy))
  const warnings = unknown.map((policy) => `Policy "${policy}" does not exist`)
  return { warnings, auth: authBlock(entry, entry.creationTtlSeconds) }
}

function describe(state: State, entry: TokenEntry): object {
  const { expiresAtMs } = entry
  return {
    accessor: entry.accessor,
    creation_time: Math.floor(entry.createdAtMs / 1000),
    creation_ttl: entry.creationTtlSeconds,
    display_name: entry.displayName,
    entity_id: entry.entityId,
    expire_time: expiresAtMs === undefined ? null : new Date(expiresAtMs).toISOString(),
    explicit_max_ttl: entry.explicitMaxTtlSeconds,
    id: entry.id,
    ...(expiresAtMs === undefined ? {} : { issue_time: new Date(entry.createdAtMs).toISOString() }),
    meta: entry.metadata,
    num_uses: entry.numUses,
    orphan: entry.isOrphan,
    path: entry.path,
    ...(entry.periodSeconds === 0 ? {} : { period: entry.periodSeconds }),
    policies: entry.policies,
    ...(entry.expiresAtMs === undefined ? {} : { renewable: entry.isRenewable }),
    ttl: expiresAtMs === undefined ? 0 : Math.max(0, Math.floor((expiresAtMs - state.now()) / 1000)),
    type: entry.type,
  }
}

function renew(state: State, { data }: Call, entry: TokenEntry): LogicalAnswer {
  if (entry.type === 'batch') throw refusal('batch tokens cannot be renewed')
  if (!entry.isRenewable) throw refusal('lease is not renewable')
  return { auth: authBlock(entry, state.tokens.renew(entry, durationField(data, 'increment'))) }
}

function revoke(state: State, entry: TokenEntry): undefined {
  if (entry.type === 'batch') throw refusal('batch tokens cannot be revoked')
  state.tokens.revoke(entry)
}

function tokenOf({ token }: Call): TokenEntry {
  if (token === undefined) throw tokenDenied()
  return token
}

function namedToken(state: State, { data }: Call): TokenEntry {
  const entry = state.tokens.find(textField(data, 'token'))
  if (entry === undefined) throw denied()
  return entry
}
