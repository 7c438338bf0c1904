/** Owns PKI roles: their fields with Vault's defaults, and how they are read back. */

import { refusal } from './failure.ts'
import { durationField, flagField, listField, numberField, textField } from './fields.ts'
import type { Fields } from './logical.ts'

export interface PkiRole {
  readonly issuerRef: string
  readonly allowedDomains: readonly string[]
  readonly allowedDomainsTemplate: boolean
  readonly allowBareDomains: boolean
  readonly allowSubdomains: boolean
  readonly allowGlobDomains: boolean
  readonly allowWildcardCertificates: boolean
  readonly allowAnyName: boolean
  readonly allowLocalhost: boolean
  readonly allowIpSans: boolean
  readonly enforceHostnames: boolean
  readonly cnValidations: readonly string[]
  readonly requireCn: boolean
  readonly useCsrCommonName: boolean
  readonly useCsrSans: boolean
  readonly allowedUriSans: readonly string[]
  readonly allowedOtherSans: readonly string[]
  readonly allowedSerialNumbers: readonly string[]
  readonly allowedUserIds: readonly string[]
  readonly serverFlag: boolean
  readonly clientFlag: boolean
  readonly keyType: string
  readonly keyBits: number
  readonly keyUsage: readonly string[]
  readonly extKeyUsage: readonly string[]
  readonly ttlSeconds: number
  readonly maxTtlSeconds: number
  readonly notBeforeDurationSeconds: number
  readonly notAfter: string
  readonly noStore: boolean
  /** OpenBao only: `permit`, `ttl-limited` or `forbid`. */
  readonly notAfterBound: string
}

const defaultKeyBits: Readonly<Record<string, number>> = { rsa: 2048, ec: 256, ed25519: 0, any: 0 }

export function readPkiRole(data: Fields): PkiRole {
  const keyType = textField(data, 'key_type', 'rsa')
  if (!(keyType in defaultKeyBits)) throw refusal(`unknown key type: ${keyType}`)
  const role: PkiRole = {
    issuerRef: textField(data, 'issuer_ref', 'default'),
    allowedDomains: listField(data, 'allowed_domains'),
    allowedDomainsTemplate: flagField(data, 'allowed_domains_template'),
    allowBareDomains: flagField(data, 'allow_bare_domains'),
    allowSubdomains: flagField(data, 'allow_subdomains'),
    allowGlobDomains: flagField(data, 'allow_glob_domains'),
    allowWildcardCertificates: flagField(data, 'allow_wildcard_certificates', true),
    allowAnyName: flagField(data, 'allow_any_name'),
    allowLocalhost: flagField(data, 'allow_localhost', true),
    allowIpSans: flagField(data, 'allow_ip_sans', true),
    enforceHostnames: flagField(data, 'enforce_hostnames', true),
    cnValidations: listField(data, 'cn_validations', ['email', 'hostname']),
    requireCn: flagField(data, 'require_cn', true),
    useCsrCommonName: flagField(data, 'use_csr_common_name', true),
    useCsrSans: flagField(data, 'use_csr_sans', true),
    allowedUriSans: listField(data, 'allowed_uri_sans'),
    allowedOtherSans: listField(data, 'allowed_other_sans'),
    allowedSerialNumbers: listField(data, 'allowed_serial_numbers'),
    allowedUserIds: listField(data, 'allowed_user_ids'),
    serverFlag: flagField(data, 'server_flag', true),
    clientFlag: flagField(data, 'client_flag', true),
    keyType,
    keyBits: numberField(data, 'key_bits') || (defaultKeyBits[keyType] ?? 0),
    keyUsage: listField(data, 'key_usage', ['DigitalSignature', 'KeyAgreement', 'KeyEncipherment']),
    extKeyUsage: listField(data, 'ext_key_usage'),
    ttlSeconds: durationField(data, 'ttl'),
    maxTtlSeconds: durationField(data, 'max_ttl'),
    notBeforeDurationSeconds: durationField(data, 'not_before_duration', 30),
    notAfter: textField(data, 'not_after'),
    noStore: flagField(data, 'no_store'),
    notAfterBound: textField(data, 'not_after_bound', 'permit'),
  }
  if (role.maxTtlSeconds > 0 && role.ttlSeconds > role.maxTtlSeconds) {
    throw refusal('"ttl" value must be less than "max_ttl" value')
  }
  return role
}

export function describePkiRole(role: PkiRole): object {
  return {
    allow_any_name: role.allowAnyName,
    allow_bare_domains: role.allowBareDomains,
    allow_glob_domains: role.allowGlobDomains,
    allow_ip_sans: role.allowIpSans,
    allow_localhost: role.allowLocalhost,
    allow_subdomains: role.allowSubdomains,
    allow_wildcard_certificates: role.allowWildcardCertificates,
    allowed_domains: role.allowedDomains,
    allowed_domains_template: role.allowedDomainsTemplate,
    allowed_other_sans: role.allowedOtherSans,
    allowed_serial_numbers: role.allowedSerialNumbers,
    allowed_uri_sans: role.allowedUriSans,
    allowed_user_ids: role.allowedUserIds,
    client_flag: role.clientFlag,
    cn_validations: role.cnValidations,
    enforce_hostnames: role.enforceHostnames,
    ext_key_usage: role.extKeyUsage,
    generate_lease: false,
    issuer_ref: role.issuerRef,
    key_bits: role.keyBits,
    key_type: role.keyType,
    key_usage: role.keyUsage,
    max_ttl: role.maxTtlSeconds,
    no_store: role.noStore,
    not_after: role.notAfter,
    not_before_duration: role.notBeforeDurationSeconds,
    require_cn: role.requireCn,
    server_flag: role.serverFlag,
    ttl: role.ttlSeconds,
    use_csr_common_name: role.useCsrCommonName,
    use_csr_sans: role.useCsrSans,
  }
}
