/** Owns the setup as Terraform for the provider hashicorp/vault (4.6 or newer), in HCL formatted as `terraform fmt` has it. */
import { caRequest } from './ca.ts'
import { accessor, resourcesOf } from './resources.ts'
import { type Fields, FileRef, labelOf, ownerOf, type Pki, type Resource, type Setup } from './setup.ts'

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
  const enable = method === 'jwt' ? [] : [block('vault_auth_backend', 'login', auth)]
  const rest = resourcesOf(setup).flatMap((each) => blocksOf(setup, each))
  return [title, providers, ...enable, ...pkiBlocks(setup.pki, ownerOf(setup)), ...rest].join('\n')
}

function pkiBlocks({ mount, ca, keyType }: Pki, description: string): string[] {
  if (ca.from === 'existing') return []
  const engine = { path: mount, type: 'pki', description, max_lease_ttl_seconds: ca.ttlSeconds }
  const backend = new Expression('vault_mount.pki.path')
  const request = { backend, type: 'internal', ...caRequest(ca, keyType) }
  const blocks = [block('vault_mount', 'pki', engine)]
  if (ca.from === 'root') return [...blocks, block('vault_pki_secret_backend_root_cert', 'root', request)]
  blocks.push(block('vault_pki_secret_backend_intermediate_cert_request', 'intermediate', request))
  if (ca.certificate === undefined) return blocks
  const signed = { backend, certificate: ca.certificate }
  return [...blocks, block('vault_pki_secret_backend_intermediate_set_signed', 'intermediate', signed)]
}

/** What the provider's PKI role does not have: what only OpenBao knows, and what is off unless somebody switches it on. */
const unknownToProvider = ['allow_token_displayname', 'not_after', 'not_before_bound', 'not_after_bound']

function blocksOf(setup: Setup, { kind, path, fields }: Resource): string[] {
  const { auth, pki } = setup
  const label = labelOf(path)
  const login = auth.method === 'jwt' ? 'vault_jwt_auth_backend.login' : 'vault_auth_backend.login'
  switch (kind) {
    case 'policy':
      return [block('vault_policy', label, { name: label, ...fields })]
    case 'pki-role': {
      const known = Object.entries(fields).filter(([field]) => !unknownToProvider.includes(field))
      const backend = pki.ca.from === 'existing' ? pki.mount : new Expression('vault_mount.pki.path')
      const body = Object.fromEntries(known.map(([field, value]) => [field, roleValue(field, value, login)]))
      return [block('vault_pki_secret_backend_role', label, { backend, name: label, ...body })]
    }
    case 'auth-config': {
      const set = Object.fromEntries(Object.entries(fields).filter(([, value]) => !isEmpty(value)))
      if (auth.method !== 'jwt') {
        const backend = new Expression(`${login}.path`)
        return [block('vault_kubernetes_auth_backend_config', 'login', { backend, ...set })]
      }
      const mount = { path: auth.mount, type: 'jwt', description: ownerOf(setup) }
      return [block('vault_jwt_auth_backend', 'login', { ...mount, ...set })]
    }
    case 'login-role': {
      const roleId = auth.method === 'approle' ? { role_id: label } : {}
      const type = `vault_${auth.method}_auth_backend_role`
      return [block(type, label, { backend: new Expression(`${login}.path`), role_name: label, ...roleId, ...fields })]
    }
    case 'role-id':
      // Part of the role's own block.
      return []
  }
}

/** The provider takes durations as texts. */
function roleValue(field: string, value: unknown, login: string): unknown {
  if (/^(max_)?ttl$|^not_before_duration$/.test(field)) return `${String(value)}s`
  if (field !== 'allowed_domains') return value
  const names = value as readonly string[]
  return names.map((each) =>
    each.includes(accessor) ? new Expression(literal(each).replace(accessor, `\${${login}.accessor}`)) : each,
  )
}

function isEmpty(value: unknown): boolean {
  return value === '' || (Array.isArray(value) && value.length === 0)
}

/** In HCL, something that is not a literal: a reference, or a text that holds one. */
class Expression {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

function block(type: string, label: string, body: Fields): string {
  // Names of resources have no dot.
  const name = label.replaceAll(/[^\w-]/g, '_')
  return `resource ${literal(type)} ${literal(name)} {\n${attributes(body, '  ').join('\n')}\n}\n`
}

function attributes(body: Fields, indent: string): string[] {
  // Within a run the equals signs are aligned. A map over several lines is a run of its own.
  const runs: [name: string, text: string][][] = [[]]
  for (const [key, value] of Object.entries(body)) {
    const name = /^[A-Za-z_][\w-]*$/.test(key) ? key : literal(key)
    const text = valueOf(value, indent)
    const isMap = text.startsWith('{\n')
    if (isMap) runs.push([])
    runs.at(-1)?.push([name, text])
    if (isMap) runs.push([])
  }
  return runs.flatMap((run) => {
    const width = Math.max(...run.map(([name]) => name.length))
    return run.map(([name, text]) => `${indent}${name.padEnd(width)} = ${text}`)
  })
}

function valueOf(value: unknown, indent: string): string {
  if (value instanceof Expression) return value.text
  if (value instanceof FileRef) return fileText(value.name)
  if (typeof value === 'string')
    return value.includes('\n') ? `<<EOT\n${escaped(value).trimEnd()}\nEOT` : literal(value)
  if (Array.isArray(value)) return `[${value.map((each) => valueOf(each, indent)).join(', ')}]`
  if (typeof value !== 'object' || value === null) return String(value)
  const lines = attributes(value as Fields, `${indent}  `)
  return lines.length === 0 ? '{}' : `{\n${lines.join('\n')}\n${indent}}`
}

/** The content of a file beside the configuration. */
function fileText(name: string): string {
  return name.startsWith('/') ? `file(${literal(name)})` : `file("\${path.module}/${literal(name).slice(1)})`
}

/** JSON's escapes are HCL's. */
function literal(text: string): string {
  return escaped(JSON.stringify(text))
}

/** So that HCL finds no template in it. */
function escaped(text: string): string {
  return text.replaceAll('${', '$${').replaceAll('%{', '%%{')
}
