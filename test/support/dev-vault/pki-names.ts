/**
 * Owns which names a PKI role lets into a certificate: a port of Vault's rules with their holes (EqualFold, e-mail domains,
 * localhost, "disabled" validation), because the tests are about these holes.
 * @see https://github.com/hashicorp/vault/blob/v1.13.1/builtin/logical/pki/cert_util.go
 */
import { refusal } from './failure.ts'
import { hasTemplate, type Identities } from './identity.ts'
import type { PkiRole } from './pki-role.ts'
import { matchesGlob } from './policies.ts'

export interface Requester {
  readonly entityId: string
  readonly identities: Identities
}

const hostname =
  /^(\*\.)?(([a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])\.)*([A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9])\.?$/
const leftWildLabel = /^(\*|[a-z0-9]\*|[a-z0-9][a-z0-9-]*\*|\*[a-z0-9]|\*[a-z0-9-]*[a-z0-9]|[a-z0-9]\*[a-z0-9])$/i

export function isCommonNameAllowed(role: PkiRole, name: string, requester: Requester): boolean {
  if (role.cnValidations.length === 1 && role.cnValidations[0] === 'disabled') return true
  if (!isNameAllowed(role, name, requester)) return false
  return role.cnValidations.length === 0 || role.cnValidations.includes(name.includes('@') ? 'email' : 'hostname')
}

export function isNameAllowed(role: PkiRole, name: string, requester: Requester): boolean {
  const parts = name.split('@')
  if (parts.length > 2) return false
  const isEmail = parts.length === 2
  const emailDomain = parts.at(-1) ?? ''
  let reduced = emailDomain
  const isWildcard = reduced.includes('*')
  if (isWildcard) {
    if (!role.allowWildcardCertificates || isEmail || reduced.split('*').length > 2) return false
    const dot = reduced.indexOf('.')
    const label = dot === -1 ? reduced : reduced.slice(0, dot)
    reduced = dot === -1 ? '' : reduced.slice(dot + 1)
    if (reduced.includes('*')) return false
    if (role.enforceHostnames && !leftWildLabel.test(label)) return false
  }
  if (role.enforceHostnames && reduced !== '' && !hostname.test(reduced)) return false
  if (role.allowAnyName) return true
  if (role.allowLocalhost && isLocalhost(role, reduced, isWildcard)) return true
  return role.allowedDomains.some((each) => {
    if (each === '') return false
    const isTemplate = role.allowedDomainsTemplate && hasTemplate(each) && requester.entityId !== ''
    const domain = isTemplate ? requester.identities.fill(each, requester.entityId) : each
    if (domain === undefined) return false
    if (role.allowBareDomains && (equalFold(name, domain) || (isEmail && equalFold(emailDomain, domain)))) return true
    if (role.allowSubdomains && (reduced.endsWith(`.${domain}`) || (isWildcard && equalFold(reduced, domain))))
      return true
    return role.allowGlobDomains && domain.includes('*') && matchesGlob(domain, name)
  })
}

function isLocalhost(role: PkiRole, reduced: string, isWildcard: boolean): boolean {
  return ['localhost', 'localdomain'].some(
    (base) =>
      (!isWildcard && reduced === base) ||
      (role.allowSubdomains && (reduced.endsWith(`.${base}`) || (isWildcard && reduced === base))),
  )
}

/** Go's strings.EqualFold: simple folding, which reaches past ASCII (the Kelvin sign is a k). */
function equalFold(a: string, b: string): boolean {
  const fold = (text: string): string => text.toUpperCase().toLowerCase()
  return fold(a) === fold(b)
}

/** The DNS name that a name becomes, undefined when it is none. Labels over 63 bytes are an error (IDNA, strict). */
export function toDnsName(name: string): string | undefined {
  const bad = name
    .replace(/\.$/, '')
    .split('.')
    .find((label) => label.length > 63 || label === '')
  if (bad !== undefined) throw refusal(`idna: invalid label "${bad}"`)
  return hostname.test(name) ? name : undefined
}
