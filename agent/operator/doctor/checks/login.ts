/** Owns the checks of the login and of what its token may do. */
import type { Auth } from '../../../config/auth.ts'
import { formatDuration } from '../../../core/duration.ts'
import { AgentError } from '../../../core/errors.ts'
import { field } from '../../../core/json.ts'
import type { Secret } from '../../../core/secret.ts'
import type { AgentEvent } from '../../../sidecar/observe/events.ts'
import { type Credentials, tokenHeader, type VaultCalls } from '../../../vault/client.ts'
import { readTokenClaims } from '../../../vault/credentials.ts'
import { type Access, unlessFailed } from '../access.ts'
import {
  adviceFor,
  type Check,
  failure,
  hasCode,
  type KnownRefusals,
  ok,
  skipped,
  type Verdict,
  verdictOf,
  warning,
} from '../check.ts'

export const login: Check = {
  id: 'login',
  where: 'vault',
  title: 'login to Vault',
  needs: ['credential', 'vault-state'],
  run: async (access) => {
    const { config, vault, events, now } = access
    const { auth, session } = vault()
    if (config.inlineAuth) return skipped('with AGENT_INLINE_AUTH every request logs in by itself')
    try {
      await session.use(async () => {})
    } catch (error) {
      if (!hasCode(error, 'vault-login-refused') || auth.method === 'cert') throw error
      return verdictOf(await withIssuers(error, access), adviceFor(error, refusals))
    }
    return ok(describeLogin(auth, events, now()))
  },
}

function describeLogin(auth: Auth, events: readonly AgentEvent[], nowMs: number): string {
  const done = events.find((event) => event.type === 'login')
  const life = done?.expiresAtMs === undefined ? 'never expires' : `lives ${formatDuration(done.expiresAtMs - nowMs)}`
  if (auth.method === 'token') return `the token works and ${life}`
  return `auth/${auth.mount}${'role' in auth ? ` as ${auth.role}` : ''}; the token ${life}`
}

/** Vault does not say which issuer it wants: both are named, if somebody is here who may read that. */
async function withIssuers(error: AgentError, { vault, operatorToken }: Access): Promise<AgentError> {
  const { auth, calls } = vault()
  if (auth.method !== 'jwt' || !/issuer \(iss\)/.test(error.message)) return error
  const path = `auth/${auth.mount}/config`
  const wanted = operatorToken && (await readBoundIssuer(calls, path, operatorToken))
  const { issuer = '(none)' } = readTokenClaims(auth.tokenFile)
  const saw = `the token's issuer is ${issuer}; Vault expects ${wanted ?? `bound_issuer of ${path}`}`
  return new AgentError(error.code, `${error.message}\n${saw}`, { cause: error })
}

async function readBoundIssuer(calls: VaultCalls, path: string, token: Secret): Promise<string | undefined> {
  const body = await unlessFailed(() => calls.get('setup', path, tokenHeader(token)))
  const issuer = field(field(body, 'data'), 'bound_issuer')
  return typeof issuer === 'string' ? issuer : undefined
}

/** Vault's refusals of a login, by its own words, and what is behind each. */
const refusals: KnownRefusals = [
  [
    /audience/i,
    'Make the audience of the projected token and bound_audiences (jwt) or audience (kubernetes) of the Vault role the same.',
  ],
  [
    /role .*could not be found|invalid role name|role with oidc/i,
    'Create the role in Vault, or name an existing one in AGENT_AUTH_ROLE.',
  ],
  [
    /no handler for route|unsupported path|permission denied/i,
    'Enable the auth method at this path, or name the right path in AGENT_AUTH_MOUNT; for kubernetes also check that Vault may review tokens.',
  ],
  [
    /subject|service account name not authorized|namespace not authorized/i,
    "Use the service account that the Vault role is bound to, or correct the role's bound_subject or bound_service_account_names.",
  ],
  [
    /issuer \(iss\)/i,
    'Make bound_issuer of the auth method the issuer of this cluster: kubernetes.issuer in setup-vault.yaml, then setup-vault apply.',
  ],
  [
    /claim .*(does not match|missing|not found)|bound claim/i,
    "Compare the claims of the token (check `credential`) with the role's bound_claims and user_claim.",
  ],
  [
    /signature|no known key|verif|jwks|public key/i,
    "Configure the auth method with this cluster's issuer and keys (jwks_url or jwt_validation_pubkeys).",
  ],
  [/expired/i, 'The token has expired by the clock of Vault: check the projected volume, the kubelet and the clocks.'],
]

const capabilitiesPath = 'sys/capabilities-self'

export const permissions: Check = {
  id: 'permissions',
  where: 'pki',
  title: 'rights of the Vault token',
  each: 'target',
  needs: ['login'],
  run: async ({ config, vault, signs }, target) => {
    const { session, calls } = vault()
    const path = `${config.pki.mount}/sign/${target.pkiRole}`
    const ask = (credentials: Credentials) => calls.post('token', capabilitiesPath, { paths: [path] }, credentials)
    try {
      return judgeCapabilities(path, readCapabilities(await session.use(ask), path))
    } catch (error) {
      if (!hasCode(error, 'vault-denied')) throw error
      const saw = 'the token may not ask (sys/capabilities-self belongs to the policy `default`)'
      return signs
        ? skipped(`${saw}; signing tells`)
        : warning(saw, 'Run without --no-sign, which tells whether it may sign.')
    }
  },
}

function readCapabilities(body: unknown, path: string): readonly string[] {
  const found = field(field(body, 'data'), path)
  if (Array.isArray(found) && found.every((each) => typeof each === 'string')) return found
  throw new AgentError('vault-bad-answer', `${capabilitiesPath}: no ${path}`)
}

/** More than the agent needs is a warning: a stolen token would have it too. */
export function judgeCapabilities(path: string, capabilities: readonly string[]): Verdict {
  const saw = `${path}: ${capabilities.join(', ')}`
  if (capabilities.includes('root')) {
    return warning(saw, 'Log in with a role whose policy allows nothing but signing: this token may do everything.')
  }
  if (!capabilities.includes('update')) return failure(saw, 'vault-denied')
  const more = capabilities.filter((each) => each !== 'update' && each !== 'create')
  if (more.length === 0) return ok(saw)
  return warning(saw, `The agent needs only update; take ${more.join(', ')} out of the policy.`)
}
