/**
 * Owns the recommended configuration of a Vault for the agent, applied over its API to the development Vault and to real ones
 * alike: a PKI mount, a role and a policy for each component, and the auth methods that a test asks for. Methods whose alias is the
 * node (jwt, cert, approle) get roles that bind the common name to the node; for the others there is a weaker role with a glob.
 */
import { pkiRoleLimits } from '../../agent/operator/vault-setup/resources.ts'
import { type VaultApi, vaultApi } from './vault-api.ts'
import type { VaultServer } from './vault-server.ts'
import {
  type Component,
  components,
  type JwtSetup,
  type KubernetesSetup,
  readText,
  setUpApprole,
  setUpCert,
  setUpJwt,
  setUpKubernetes,
  setUpToken,
} from './vault-setup-auth.ts'

export interface VaultSetupOptions {
  /** Default: pki. */
  readonly pkiMount?: string
  /** Go durations. Defaults: 24h, the same, 30s. */
  readonly ttl?: string
  readonly maxTtl?: string
  readonly notBeforeDuration?: string
  /** Default: ec (256 bits). */
  readonly keyType?: 'ec' | 'rsa' | 'ed25519' | 'any'
  /** Lifetime of login tokens. Default: 15m. */
  readonly tokenTtl?: string
  /** Default: batch. */
  readonly tokenType?: 'batch' | 'service'
  readonly jwt?: JwtSetup
  readonly kubernetes?: KubernetesSetup
  /** Makes a role id (the node's name) and a secret id for each node. */
  readonly approle?: { readonly mount?: string; readonly nodes: readonly string[] }
  /** Client certificates of this CA whose common name is the node's. */
  readonly cert?: { readonly mount?: string; readonly caPem: string; readonly commonNames: readonly string[] }
  /** Makes a periodic token; it has no entity, so it gets the weaker role. */
  readonly token?: boolean
}

export interface VaultSetup {
  readonly pkiMount: string
  readonly rootPem: string
  readonly rootIssuerId: string
  /** The PKI role of logins that say nothing about the node: the component itself when nothing else is set up. */
  weakRole(component: Component): string
  /** By node. */
  readonly approle: Readonly<Record<string, { readonly roleId: string; readonly secretId: string }>>
  readonly token: string
}

export async function setUpVault(vault: VaultServer, options: VaultSetupOptions): Promise<VaultSetup> {
  const api = vaultApi(vault)
  try {
    return await apply(api, options)
  } finally {
    api.close()
  }
}

async function apply(api: VaultApi, options: VaultSetupOptions): Promise<VaultSetup> {
  const pkiMount = options.pkiMount ?? 'pki'
  const root = await makeRoot(api, pkiMount)
  const token = { type: options.tokenType ?? 'batch', ttl: options.tokenTtl ?? '15m' }

  // The mounts come first: their accessors are part of the PKI roles.
  const accessors = [
    ...(options.jwt === undefined ? [] : [await enableAuth(api, 'jwt', options.jwt.mount)]),
    ...(options.cert === undefined ? [] : [await enableAuth(api, 'cert', options.cert.mount)]),
    ...(options.approle === undefined ? [] : [await enableAuth(api, 'approle', options.approle.mount)]),
  ]
  const isNodeBound = accessors.length > 0
  const weakRole = (component: Component): string => (isNodeBound ? `${component}-any-node` : component)
  const needsWeak = options.kubernetes !== undefined || options.token === true
  for (const component of components) {
    if (isNodeBound) {
      const domains = accessors.map((accessor) => `${component}:{{identity.entity.aliases.${accessor}.name}}`)
      await makeRole(api, pkiMount, component, {
        ...roleOf(options),
        allowed_domains: domains,
        allowed_domains_template: true,
      })
    }
    if (needsWeak) {
      const globs = { allowed_domains: [`${component}:*`], allow_glob_domains: true }
      await makeRole(api, pkiMount, weakRole(component), { ...roleOf(options), ...globs })
    }
  }
  if (options.jwt !== undefined) await setUpJwt(api, options.jwt, token)
  if (options.cert !== undefined) await setUpCert(api, options.cert, token)
  if (options.kubernetes !== undefined) {
    await enableAuth(api, 'kubernetes', options.kubernetes.mount)
    await setUpKubernetes(api, options.kubernetes, token, weakRole)
  }
  return {
    pkiMount,
    rootPem: readText(root, 'certificate'),
    rootIssuerId: readText(root, 'issuer_id'),
    weakRole,
    approle: options.approle === undefined ? {} : await setUpApprole(api, options.approle, token),
    token: options.token === true ? await setUpToken(api, weakRole) : '',
  }
}

async function makeRoot(api: VaultApi, mount: string): Promise<Readonly<Record<string, unknown>>> {
  await api.root('POST', `sys/mounts/${mount}`, { type: 'pki', config: { max_lease_ttl: '87600h' } })
  const { body } = await api.root('POST', `${mount}/root/generate/internal`, {
    common_name: 'Calico etcd clients',
    issuer_name: 'root-1',
    key_type: 'ec',
    key_bits: 256,
    ttl: '87600h',
  })
  return body.data ?? {}
}

async function enableAuth(api: VaultApi, type: string, mount = type): Promise<string> {
  await api.root('POST', `sys/auth/${mount}`, { type })
  const { body } = await api.root('GET', 'sys/auth')
  const found = body.data?.[`${mount}/`] as { accessor: string }
  return found.accessor
}

/** The role of setup-vault without the names it allows. */
function roleOf(options: VaultSetupOptions): object {
  const { ttl = '24h', keyType = 'ec' } = options
  return {
    ...pkiRoleLimits,
    allow_glob_domains: false,
    key_type: keyType,
    key_bits: keyType === 'ec' ? 256 : keyType === 'rsa' ? 2048 : 0,
    ttl,
    max_ttl: options.maxTtl ?? ttl,
    not_before_duration: options.notBeforeDuration ?? '30s',
  }
}

/** A PKI role and the policy `{role}-pki` that may sign with it. */
async function makeRole(api: VaultApi, mount: string, name: string, role: object): Promise<void> {
  await api.root('POST', `${mount}/roles/${name}`, role)
  const allowed = ['csr', 'common_name', 'ttl', 'exclude_cn_from_sans', 'format', 'remove_roots_from_chain']
  const policy = {
    path: {
      [`${mount}/sign/${name}`]: {
        capabilities: ['update'],
        required_parameters: ['csr', 'common_name'],
        allowed_parameters: Object.fromEntries(allowed.map((parameter) => [parameter, []])) as object,
      },
      [`${mount}/revoke-with-key`]: { capabilities: ['update'] },
      'auth/token/lookup-self': { capabilities: ['read'] },
      'auth/token/renew-self': { capabilities: ['update'] },
    },
  }
  await api.root('PUT', `sys/policies/acl/${name}-pki`, { policy: JSON.stringify(policy) })
}
