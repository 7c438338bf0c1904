/** Owns the auth methods of the set-up: what each is configured with, and the roles that give a login the right to sign. */
import type { VaultApi } from './vault-api.ts'

export const components = ['calico-node', 'calico-cni', 'calico-kube-controllers'] as const
export type Component = (typeof components)[number]

export interface JwtSetup {
  /** Default: jwt. */
  readonly mount?: string
  readonly publicKeyPem?: string
  readonly jwksUrl?: string
  readonly jwksCaPem?: string
  readonly issuer: string
  /** Default: vault-calico. */
  readonly audience?: string
  /** Default: /kubernetes.io/node/name. */
  readonly userClaim?: string
}

export interface KubernetesSetup {
  /** Default: kubernetes. */
  readonly mount?: string
  readonly host: string
  readonly caPem: string
  readonly reviewerToken: string
  /** Default: vault-calico. */
  readonly audience?: string
}

export interface TokenSetup {
  readonly type: 'batch' | 'service'
  readonly ttl: string
}

/** A login role: whose pods may use it, and for which components its tokens may sign. calico-node's agent serves the CNI plugin too. */
interface LoginRole {
  readonly name: Component
  readonly serviceAccount: string
  readonly signs: readonly Component[]
}

const loginRoles: readonly LoginRole[] = [
  { name: 'calico-node', serviceAccount: 'calico-node', signs: ['calico-node', 'calico-cni'] },
  { name: 'calico-cni', serviceAccount: 'calico-node', signs: ['calico-cni'] },
  { name: 'calico-kube-controllers', serviceAccount: 'calico-kube-controllers', signs: ['calico-kube-controllers'] },
]

export async function setUpJwt(api: VaultApi, options: JwtSetup, token: TokenSetup): Promise<void> {
  const { mount = 'jwt', audience = 'vault-calico', publicKeyPem, jwksUrl, jwksCaPem, issuer } = options
  await api.root('POST', `auth/${mount}/config`, {
    bound_issuer: issuer,
    ...(jwksUrl === undefined
      ? { jwt_validation_pubkeys: [publicKeyPem] }
      : { jwks_url: jwksUrl, jwks_ca_pem: jwksCaPem }),
  })
  for (const { name, serviceAccount, signs } of loginRoles) {
    await api.root('POST', `auth/${mount}/role/${name}`, {
      role_type: 'jwt',
      bound_audiences: [audience],
      bound_subject: `system:serviceaccount:kube-system:${serviceAccount}`,
      user_claim: options.userClaim ?? '/kubernetes.io/node/name',
      user_claim_json_pointer: (options.userClaim ?? '/').startsWith('/'),
      claim_mappings: { '/kubernetes.io/node/name': 'node_name', '/kubernetes.io/node/uid': 'node_uid' },
      bound_claims_type: 'glob',
      bound_claims: { '/kubernetes.io/pod/name': `${serviceAccount}-*` },
      ...tokenFields(token, signs.map(policyOf)),
    })
  }
}

export async function setUpKubernetes(
  api: VaultApi,
  options: KubernetesSetup,
  token: TokenSetup,
  roleName: (component: Component) => string,
): Promise<void> {
  const { mount = 'kubernetes', audience = 'vault-calico' } = options
  await api.root('POST', `auth/${mount}/config`, {
    kubernetes_host: options.host,
    kubernetes_ca_cert: options.caPem,
    token_reviewer_jwt: options.reviewerToken,
    disable_local_ca_jwt: true,
  })
  for (const { name, serviceAccount, signs } of loginRoles) {
    await api.root('POST', `auth/${mount}/role/${name}`, {
      bound_service_account_names: [serviceAccount],
      bound_service_account_namespaces: ['kube-system'],
      audience,
      ...tokenFields(token, signs.map(roleName).map(policyOf)),
    })
  }
}

/** The role id is the node's name: it is the alias of the login, and so the node of the common name. */
export async function setUpApprole(
  api: VaultApi,
  { mount = 'approle', nodes }: { mount?: string; nodes: readonly string[] },
  token: TokenSetup,
): Promise<Record<string, { roleId: string; secretId: string }>> {
  const made: Record<string, { roleId: string; secretId: string }> = {}
  for (const node of nodes) {
    const fields = tokenFields(token, ['calico-node-pki', 'calico-cni-pki'])
    await api.root('POST', `auth/${mount}/role/${node}`, { role_id: node, ...fields })
    const { body } = await api.root('POST', `auth/${mount}/role/${node}/secret-id`, {})
    made[node] = { roleId: node, secretId: readText(body.data, 'secret_id') }
  }
  return made
}

export async function setUpCert(
  api: VaultApi,
  options: { mount?: string; caPem: string; commonNames: readonly string[] },
  token: TokenSetup,
): Promise<void> {
  await api.root('POST', `auth/${options.mount ?? 'cert'}/certs/nodes`, {
    certificate: options.caPem,
    allowed_common_names: options.commonNames,
    ...tokenFields(token, ['calico-node-pki', 'calico-cni-pki']),
  })
}

export async function setUpToken(api: VaultApi, roleName: (component: Component) => string): Promise<string> {
  const { body } = await api.root('POST', 'auth/token/create', {
    policies: [policyOf(roleName('calico-node')), policyOf(roleName('calico-cni'))],
    no_default_policy: true,
    period: '1h',
  })
  return body.auth?.client_token ?? ''
}

/** A text of an answer's data. */
export function readText(data: Readonly<Record<string, unknown>> | undefined, name: string): string {
  const value = data?.[name]
  if (typeof value !== 'string') throw new TypeError(`the answer has no ${name}`)
  return value
}

function policyOf(role: string): string {
  return `${role}-pki`
}

function tokenFields({ type, ttl }: TokenSetup, policies: readonly string[]): object {
  return {
    token_type: type,
    token_ttl: ttl,
    token_max_ttl: ttl,
    token_no_default_policy: true,
    token_policies: policies,
  }
}
