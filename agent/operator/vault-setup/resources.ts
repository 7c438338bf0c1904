/**
 * Owns what the setup comes to on Vault: everything that is written as a whole to one path, in the order in which it must be
 * there, so that nobody can log in before all limits stand. Pure; why each field is as it is: docs/vault.md and docs/security.md.
 */
import type { KeyType } from '../../pki/key.ts'
import { loginResources } from './logins.ts'
import {
  attestsNodes,
  type ComponentSetup,
  type Fields,
  ownerOf,
  policyName,
  type Resource,
  type Setup,
} from './setup.ts'

/** Stands for the accessor, which is known only once the auth mount is there. */
export const accessor = '<accessor>'

export function resourcesOf(setup: Setup): Resource[] {
  return [
    ...setup.components.map((component) => policy(setup, component)),
    ...setup.components.map((component) => pkiRole(setup, component)),
    ...loginResources(setup),
  ]
}

function policy(setup: Setup, { name: component }: ComponentSetup): Resource {
  const name = policyName(setup, component)
  const fields = { policy: policyText(setup, component) }
  return { kind: 'policy', subject: `policy ${name}`, path: `sys/policies/acl/${name}`, fields }
}

/** What the agent sends to sign (vault/client.ts). */
const parameters = ['csr', 'common_name', 'ttl', 'exclude_cn_from_sans'] as const
/** What it must send, so that nothing of a request is ever taken from the CSR. */
const required = ['csr', 'common_name'] as const

/**
 * In HCL: one path, and of its parameters those that the agent sends. An empty list of values means any value; a parameter that
 * is not named is refused, such as `not_after`, which would beat the role's max_ttl. The first line is the owner's mark: in a PKI
 * mount that is not ours, the record that the role of that name is.
 */
export function policyText(setup: Setup, component: string): string {
  return `${ownerLine(setup)}
${pathLine(setup, component)}
  capabilities        = ["update"]
  required_parameters = ${JSON.stringify(required).replaceAll(',', ', ')}
  allowed_parameters = {
${parameters.map((name) => `    ${JSON.stringify(name).padEnd(22)} = []`).join('\n')}
  }
}
`
}

/** @param component undefined: for any of them */
export function isOwnPolicy(text: unknown, setup: Setup, component?: string): boolean {
  if (typeof text !== 'string' || text.split('\n', 1)[0] !== ownerLine(setup)) return false
  return component === undefined || text.includes(pathLine(setup, component))
}

function ownerLine(setup: Setup): string {
  return `# ${ownerOf(setup)}`
}

/** The one path that a component's token may write to. */
function pathLine({ pki }: Setup, component: string): string {
  return `path ${JSON.stringify(`${pki.mount}/sign/${component}`)} {`
}

/** As Vault calls the kinds of keys. */
export const keyFields: Readonly<Record<KeyType, { readonly key_type: string; readonly key_bits: number }>> = {
  'ec-p256': { key_type: 'ec', key_bits: 256 },
  'ec-p384': { key_type: 'ec', key_bits: 384 },
  'rsa-2048': { key_type: 'rsa', key_bits: 2048 },
  'rsa-4096': { key_type: 'rsa', key_bits: 4096 },
  ed25519: { key_type: 'ed25519', key_bits: 0 },
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
  const { mount, keyType } = setup.pki
  const { name, ttlSeconds } = component
  return {
    kind: 'pki-role',
    subject: `PKI role ${mount}/${name}`,
    path: `${mount}/roles/${name}`,
    fields: {
      ...nameFields(setup, component),
      ...pkiRoleLimits,
      ...keyFields[keyType],
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
