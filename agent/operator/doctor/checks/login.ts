/** Owns the checks of the login and of what its token may do. */
import type { Auth } from '../../../config/auth.ts'
import { formatDuration } from '../../../core/duration.ts'
import { AgentError } from '../../../core/errors.ts'
import { asObject } from '../../../core/json.ts'
import { revealed } from '../../../core/secret.ts'
import type { AgentEvent } from '../../../sidecar/observe/events.ts'
import { readTokenClaims } from '../../../vault/credentials.ts'
import type { Transport } from '../../../vault/transport.ts'
import type { Access } from '../access.ts'
import { type Check, ExplainedError, failure, ok, skipped, type Verdict, warning } from '../check.ts'
import { readCapabilities } from '../vault-answers.ts'

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
      throw explain(await withIssuers(error, access), auth)
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
async function withIssuers(error: unknown, { vault, operatorToken }: Access): Promise<unknown> {
  const { auth, transport, address } = vault()
  if (!(error instanceof AgentError) || auth.method !== 'jwt' || !/issuer \(iss\)/.test(error.message)) return error
  const wanted =
    operatorToken &&
    (await readBoundIssuer(transport, `/v1/auth/${auth.mount}/config`, {
      'X-Vault-Token': operatorToken.reveal(),
      ...(address.namespace === undefined ? {} : { 'X-Vault-Namespace': address.namespace }),
    }))
  const { issuer = '(none)' } = readTokenClaims(auth.tokenFile)
  const saw = `the token's issuer is ${issuer}; Vault expects ${wanted ?? `bound_issuer of auth/${auth.mount}/config`}`
  return new AgentError(error.code, `${error.message}\n${saw}`, { cause: error })
}

async function readBoundIssuer(
  transport: Transport,
  path: string,
  headers: Readonly<Record<string, string>>,
): Promise<string | undefined> {
  try {
    const { body } = await transport.request({ operation: 'setup', method: 'GET', path, headers, json: undefined })
    const issuer = asObject(asObject(body)?.['data'])?.['bound_issuer']
    return typeof issuer === 'string' ? issuer : undefined
  } catch (error) {
    if (error instanceof AgentError) return undefined
    throw error
  }
}

/** Vault's refusals of a login, by its own words, and what is behind each. */
const refusals: readonly (readonly [RegExp, string])[] = [
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

function explain(error: unknown, auth: Pick<Auth, 'method'>): unknown {
  if (!(error instanceof AgentError) || error.code !== 'vault-login-refused') return error
  const advice = refusals.find(([words]) => words.test(error.message))?.[1]
  return advice === undefined || auth.method === 'cert' ? error : new ExplainedError(error, advice)
}

export const permissions: Check = {
  id: 'permissions',
  where: 'pki',
  title: 'rights of the Vault token',
  each: 'target',
  needs: ['login'],
  run: async ({ config, vault, signs }, target) => {
    const { session, transport, address } = vault()
    const { namespace } = address
    const path = `${config.pki.mount}/sign/${target.pkiRole}`
    const where = '/v1/sys/capabilities-self'
    try {
      const { body } = await session.use((credentials) =>
        transport.request({
          operation: 'token',
          method: 'POST',
          path: where,
          headers: { ...revealed(credentials), ...(namespace === undefined ? {} : { 'X-Vault-Namespace': namespace }) },
          json: { paths: [path] },
        }),
      )
      return judgeCapabilities(path, readCapabilities(body, path, where))
    } catch (error) {
      if (!(error instanceof AgentError) || error.code !== 'vault-denied') throw error
      const saw = 'the token may not ask (sys/capabilities-self belongs to the policy `default`)'
      return signs
        ? skipped(`${saw}; signing tells`)
        : warning(saw, 'Run without --no-sign, which tells whether it may sign.')
    }
  },
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
