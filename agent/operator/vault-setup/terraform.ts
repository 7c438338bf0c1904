/** Owns the setup as Terraform for the provider hashicorp/vault (4.6 or newer), formatted as `terraform fmt` has it. */
import { keyName } from './actual.ts'
import { type Body, block, expression, fileText } from './hcl.ts'
import { accessor, keyFieldsOf, resourcesOf } from './resources.ts'
import { type Fields, FileRef, ownerOf, type Resource, type Setup } from './setup.ts'

const providers = `terraform {
  required_providers {
    vault = {
      source  = "hashicorp/vault"
      version = ">= 4.6"
    }
  }
}
`

export function terraformText(setup: Setup, version: string): string {
  const title = `# Vault for the cluster ${setup.cluster}, by calico-vault-agent ${version} (setup-vault export --format terraform).\n`
  const { method, mount } = setup.auth
  // A jwt mount is made by the resource that also configures it.
  const auth = { path: mount, type: method, description: ownerOf(setup) }
  const enable = method === 'jwt' ? [] : [resource('vault_auth_backend', 'login', auth)]
  const rest = resourcesOf(setup).flatMap((each) => blockOf(setup, each))
  return [title, providers, ...enable, ...pkiBlocks(setup), ...rest].join('\n')
}

function pkiBlocks(setup: Setup): string[] {
  const { mount, ca } = setup.pki
  if (ca.from === 'existing') return []
  const engine = resource('vault_mount', 'pki', {
    path: mount,
    type: 'pki',
    description: ownerOf(setup),
    max_lease_ttl_seconds: ca.ttlSeconds,
  })
  const backend = expression('vault_mount.pki.path')
  const subject = { backend, type: 'internal', common_name: ca.commonName, ...keyFieldsOf(setup.pki) }
  if (ca.from === 'root') {
    const root = { ...subject, ttl: `${ca.ttlSeconds}s`, issuer_name: `${keyName}-root` }
    return [engine, resource('vault_pki_secret_backend_root_cert', 'root', root)]
  }
  const request = { ...subject, key_name: keyName }
  const signed = { backend, certificate: ca.certificate }
  return [
    engine,
    resource('vault_pki_secret_backend_intermediate_cert_request', 'intermediate', request),
    ...(ca.certificate === undefined
      ? []
      : [resource('vault_pki_secret_backend_intermediate_set_signed', 'intermediate', signed)]),
  ]
}

/** What the provider's PKI role does not have: what only OpenBao knows, and what is off unless somebody switches it on. */
const unknownToProvider = ['allow_token_displayname', 'not_after', 'not_before_bound', 'not_after_bound']

function blockOf(setup: Setup, { kind, path, name, fields }: Resource): string[] {
  const { auth, pki } = setup
  const label = path.slice(path.lastIndexOf('/') + 1)
  const login = auth.method === 'jwt' ? 'vault_jwt_auth_backend.login' : 'vault_auth_backend.login'
  switch (kind) {
    case 'policy':
      return [resource('vault_policy', label, { name, ...fields })]
    case 'pki-role': {
      const known = Object.entries(fields).filter(([field]) => !unknownToProvider.includes(field))
      const backend = pki.ca.from === 'existing' ? pki.mount : expression('vault_mount.pki.path')
      const body = Object.fromEntries(known.map(([field, value]) => [field, roleValue(field, value, login)]))
      return [resource('vault_pki_secret_backend_role', label, { backend, name: label, ...body })]
    }
    case 'auth-config': {
      const set = Object.fromEntries(Object.entries(fields).filter(([, value]) => !isEmpty(value)))
      if (auth.method !== 'jwt') {
        const backend = expression(`${login}.path`)
        return [resource('vault_kubernetes_auth_backend_config', 'login', { backend, ...set })]
      }
      const mount = { path: auth.mount, type: 'jwt', description: ownerOf(setup) }
      return [resource('vault_jwt_auth_backend', 'login', { ...mount, ...set })]
    }
    case 'login-role': {
      const roleId = auth.method === 'approle' ? { role_id: label } : {}
      const type = `vault_${auth.method}_auth_backend_role`
      return [resource(type, label, { backend: expression(`${login}.path`), role_name: label, ...roleId, ...fields })]
    }
    case 'role-id':
      // Part of the role's own block.
      return []
  }
}

/** Durations are texts there. */
function roleValue(field: string, value: unknown, login: string): unknown {
  if (/^(max_)?ttl$|^not_before_duration$/.test(field)) return `${String(value)}s`
  if (field !== 'allowed_domains') return value
  const names = value as readonly string[]
  const filled = (each: string): unknown => expression(JSON.stringify(each).replace(accessor, `\${${login}.accessor}`))
  return names.map((each) => (each.includes(accessor) ? filled(each) : each))
}

function resource(type: string, label: string, body: Fields): string {
  // Names of resources have no dot.
  return block('resource', [type, label.replaceAll(/[^\w-]/g, '_')], readingFiles(body))
}

function readingFiles(body: Fields): Body {
  const text = (value: unknown): unknown => (value instanceof FileRef ? fileText(value.name) : value)
  const values = Object.entries(body).map(([name, value]) => [
    name,
    Array.isArray(value) ? value.map(text) : text(value),
  ])
  return Object.fromEntries(values) as Body
}

function isEmpty(value: unknown): boolean {
  return value === '' || (Array.isArray(value) && value.length === 0)
}
