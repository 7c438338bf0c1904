/**
 * Owns what the setup comes to on Vault: everything that is written as a whole to one path, in the order in which it must be
 * there, so that nobody can log in before all limits stand. Pure; why each field is as it is: docs/vault.md and docs/security.md.
 */
import { loginResources } from './logins.ts'
import { policyText } from './policy.ts'
import {
  attestsNodes,
  type ComponentSetup,
  type Fields,
  FileRef,
  ownerOf,
  policyName,
  type Resource,
  type Setup,
} from './setup.ts'

/** Stands for the accessor, which is known only once the auth mount is there. */
export const accessor = '<accessor>'

export function resourcesOf(setup: Setup): Resource[] {
  return [
    ...setup.components.map((component) => policyOf(setup, component)),
    ...setup.components.map((component) => pkiRole(setup, component)),
    ...loginResources(setup),
  ]
}

function policyOf(setup: Setup, { name: component }: ComponentSetup): Resource {
  const name = policyName(setup, component)
  const policy = policyText(ownerOf(setup), signPath(setup, component))
  return { kind: 'policy', name, path: `sys/policies/acl/${name}`, fields: { policy } }
}

/** The one path that a component's token may write to. */
export function signPath({ pki }: Pick<Setup, 'pki'>, component: string): string {
  return `${pki.mount}/sign/${component}`
}

const keyFields = {
  'ec-p256': { key_type: 'ec', key_bits: 256 },
  'ec-p384': { key_type: 'ec', key_bits: 384 },
  'rsa-2048': { key_type: 'rsa', key_bits: 2048 },
  'rsa-4096': { key_type: 'rsa', key_bits: 4096 },
  ed25519: { key_type: 'ed25519', key_bits: 0 },
} as const

export function keyFieldsOf({ keyType }: Pick<Setup['pki'], 'keyType'>): { key_type: string; key_bits: number } {
  return keyFields[keyType]
}

/** What every role has: whatever is not the name, the key or the lifetime is closed. */
export const pkiRoleLimits = {
  issuer_ref: 'default',
  allow_bare_domains: true,
  allow_subdomains: false,
  allow_wildcard_certificates: false,
  allow_any_name: false,
  allow_localhost: false,
  allow_ip_sans: false,
  allow_token_displayname: false,
  allowed_uri_sans: [],
  allowed_other_sans: [],
  allowed_serial_numbers: [],
  allowed_user_ids: [],
  // A colon is in no host name. What keeps e-mail addresses out is cn_validations.
  enforce_hostnames: false,
  cn_validations: ['hostname'],
  require_cn: true,
  use_csr_common_name: false,
  use_csr_sans: false,
  server_flag: false,
  client_flag: true,
  code_signing_flag: false,
  email_protection_flag: false,
  basic_constraints_valid_for_non_ca: false,
  key_usage: ['DigitalSignature'],
  ext_key_usage: [],
  ext_key_usage_oids: [],
  policy_identifiers: [],
  not_after: '',
  no_store: true,
  generate_lease: false,
  not_after_bound: 'forbid',
  not_before_bound: 'forbid',
} as const

function pkiRole(setup: Setup, component: ComponentSetup): Resource {
  const { pki } = setup
  const { name, ttlSeconds } = component
  return {
    kind: 'pki-role',
    name: `${pki.mount}/${name}`,
    path: `${pki.mount}/roles/${name}`,
    fields: {
      ...nameFields(setup, component),
      ...pkiRoleLimits,
      ...keyFieldsOf(pki),
      ttl: ttlSeconds,
      max_ttl: ttlSeconds,
      not_before_duration: 30,
    },
    ifKnown: ['not_after_bound', 'not_before_bound'],
  }
}

function nameFields({ auth }: Setup, { name, perNode }: ComponentSetup): Fields {
  if (!perNode) return { allowed_domains: [name], allowed_domains_template: false, allow_glob_domains: false }
  if (!attestsNodes(auth)) {
    return { allowed_domains: [`${name}:*`], allowed_domains_template: false, allow_glob_domains: true }
  }
  return {
    // The alias and not its metadata: those of the entity's last login would count for every node that shares it.
    allowed_domains: [`${name}:{{identity.entity.aliases.${accessor}.name}}`],
    allowed_domains_template: true,
    allow_glob_domains: false,
  }
}

export interface Substitutes {
  readonly accessor: string
  /** Texts of the files by name. */
  readonly files: ReadonlyMap<string, string>
}

/** The fields as Vault is given them. */
export function fillIn(value: Fields, substitutes: Substitutes): Fields {
  return fill(value, substitutes) as Fields
}

function fill(value: unknown, substitutes: Substitutes): unknown {
  if (value instanceof FileRef) return substitutes.files.get(value.name) ?? ''
  if (typeof value === 'string') return value.replaceAll(accessor, substitutes.accessor)
  if (Array.isArray(value)) return value.map((each) => fill(each, substitutes))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, fill(each, substitutes)]))
}
