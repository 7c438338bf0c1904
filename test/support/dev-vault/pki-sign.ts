/**
 * Owns `sign/:role`: the checks in Vault's order, then the certificate, with the answer that Vault gives.
 * @see https://github.com/hashicorp/vault/blob/v1.13.1/builtin/logical/pki/path_issue_sign.go
 */
import { X509Certificate } from 'node:crypto'
import {
  alternativeNames,
  clientAuth,
  extendedKeyUsage,
  keyUsage,
  keyUsageBits,
  nameOf,
  serverAuth,
  signCertificate,
} from '../x509.ts'
import { internalError, refusal, VaultFailure } from './failure.ts'
import { durationField, flagField, formatGoDuration, has, listField, textField } from './fields.ts'
import type { Call, Fields, LogicalAnswer } from './logical.ts'
import { checkKey, type ParsedRequest, parseRequest } from './pki-csr.ts'
import { chainOf, findIssuer, formatSerial, type Issuer, type IssuerStore, isSelfSigned } from './pki-issuers.ts'
import { isCommonNameAllowed, isNameAllowed, type Requester, toDnsName } from './pki-names.ts'
import type { PkiRole } from './pki-role.ts'
import type { LeaseTtls, State } from './state.ts'

export interface SignContext {
  readonly state: State
  readonly store: IssuerStore
  readonly leases: LeaseTtls
  /** Remembers a certificate for revocation by serial number. */
  readonly remember: (certificatePem: string, serialNumber: string) => void
}

export function signLeaf(context: SignContext, role: PkiRole, { data, token }: Call): LogicalAnswer {
  const { state, store } = context
  const askedTtlSeconds = durationField(data, 'ttl')
  const format = textField(data, 'format', 'pem')
  if (!['pem', 'der', 'pem_bundle'].includes(format)) {
    throw refusal('the "format" path parameter must be "pem", "der", or "pem_bundle"')
  }
  const issuer = findSigner(store, role.issuerRef)
  const request = parseRequest(textField(data, 'csr'))
  checkKey(role, request)
  const requester = { entityId: token?.entityId ?? '', identities: state.identities }
  const names = collectNames(role, request, data, { ...requester, isOpenBao: state.flavour === 'openbao' })
  const { notAfter, warnings } = planValidity(context, role, issuer, data, askedTtlSeconds)
  if (!request.isSigned()) throw refusal('request signature invalid')
  const notBefore = new Date(state.now() - role.notBeforeDurationSeconds * 1000)
  if (state.refusesYoungIssuers && notBefore.getTime() < issuer.certificate.validFromDate.getTime()) {
    throw refusal("cannot satisfy request: notBefore before signer's notBefore")
  }
  const { certificatePem, serialNumber } = signCertificate(
    {
      subject: nameOf(names.commonName === '' ? undefined : names.commonName),
      issuer: issuer.subject,
      publicKeyDer: request.publicKeyDer,
      notBefore,
      notAfter,
      extensions: extensionsOf(role, names),
    },
    issuer.keys,
  )
  if (!role.noStore) context.remember(certificatePem, serialNumber)
  return {
    warnings,
    data: describeLeaf(context, issuer, certificatePem.trim(), format, flagField(data, 'remove_roots_from_chain')),
  }
}

type Signer = Issuer & { readonly keys: NonNullable<Issuer['keys']> }

function findSigner(store: IssuerStore, reference: string): Signer {
  try {
    const issuer = findIssuer(store, reference)
    if (issuer.keys === undefined) throw internalError(`unable to use issuer ${issuer.id}: it has no key`)
    return { ...issuer, keys: issuer.keys }
  } catch (error) {
    if (!(error instanceof VaultFailure)) throw error
    throw internalError(`could not fetch the CA certificate (was one set?): ${error.message}`)
  }
}

interface Names {
  readonly commonName: string
  readonly dnsNames: readonly string[]
  readonly ipAddresses: readonly string[]
}

function collectNames(
  role: PkiRole,
  request: ParsedRequest,
  data: Fields,
  requester: Requester & { isOpenBao: boolean },
): Names {
  const commonName = (role.useCsrCommonName ? request.commonName : '') || textField(data, 'common_name')
  if (commonName === '' && role.requireCn) {
    throw refusal(
      'the common_name field is required, or must be provided in a CSR with "use_csr_common_name" set to true, unless "require_cn" is set to false',
    )
  }
  const wanted = role.useCsrSans ? [...request.dnsNames] : listField(data, 'alt_names').map(toDnsName)
  if (commonName !== '' && !flagField(data, 'exclude_cn_from_sans') && !commonName.includes('@')) {
    wanted.push(toDnsName(commonName))
  }
  const dnsNames = [...new Set(wanted.filter((name) => name !== undefined))]
  if (commonName !== '' && !isCommonNameAllowed(role, commonName, requester)) {
    throw refusal(`common name ${commonName} not allowed by this role`)
  }
  const serialNumber = textField(data, 'serial_number')
  if (serialNumber !== '' && !role.allowedSerialNumbers.includes(serialNumber)) {
    throw refusal(`serial_number ${serialNumber} not allowed by this role`)
  }
  const bad = dnsNames.find((name) => !isNameAllowed(role, name, requester))
  if (bad !== undefined) throw refusal(`subject alternate name ${bad} not allowed by this role`)
  const asked = listField(data, 'ip_sans')
  if (!role.useCsrSans && asked.length > 0 && !role.allowIpSans) {
    const how = requester.isOpenBao ? 'via the API' : `[${asked.join(' ')}]`
    throw refusal(`IP Subject Alternative Names are not allowed in this role, but was provided ${how}`)
  }
  if (!role.useCsrSans && has(data, 'uri_sans') && role.allowedUriSans.length === 0) {
    throw refusal('URI Subject Alternative Names are not allowed in this role, but were provided via the API')
  }
  return { commonName, dnsNames, ipAddresses: role.useCsrSans ? request.ipAddresses : asked }
}

function planValidity(
  { state, leases }: SignContext,
  role: PkiRole,
  issuer: Issuer,
  data: Fields,
  askedSeconds: number,
): { notAfter: Date; warnings: string[] } {
  const warnings: string[] = []
  const fixed = role.notAfter || textField(data, 'not_after')
  if (state.flavour === 'openbao' && role.notAfterBound === 'forbid' && has(data, 'not_after')) {
    throw refusal('not_after_bound is set to forbid. not_after cannot be provided.')
  }
  if (askedSeconds > 0 && fixed !== '') {
    throw refusal('Either ttl or not_after should be provided. Both should not be provided in the same request.')
  }
  let ttlSeconds = askedSeconds || role.ttlSeconds || leases.defaultSeconds
  const maxSeconds = role.maxTtlSeconds || leases.maxSeconds
  if (ttlSeconds > maxSeconds) {
    const [asked, limit] = [formatGoDuration(ttlSeconds), formatGoDuration(maxSeconds)]
    warnings.push(`TTL "${asked}" is longer than permitted maxTTL "${limit}", so maxTTL is being used`)
    ttlSeconds = maxSeconds
  }
  const notAfter = fixed === '' ? new Date(state.now() + ttlSeconds * 1000) : new Date(fixed)
  const end = issuer.certificate.validToDate
  if (notAfter <= end || issuer.leafNotAfterBehavior === 'permit') return { notAfter, warnings }
  if (issuer.leafNotAfterBehavior === 'truncate') return { notAfter: end, warnings }
  const beyond = `TTL would result in notAfter of ${notAfter.toISOString()} that is beyond the expiration of the CA certificate`
  throw refusal(`cannot satisfy request, as ${beyond} at ${end.toISOString().replace('.000Z', 'Z')}`)
}

/** Names as in Go's x509, with or without the prefix `KeyUsage`. */
const usageBits: Readonly<Record<string, number>> = {
  digitalsignature: keyUsageBits.digitalSignature,
  contentcommitment: keyUsageBits.contentCommitment,
  keyencipherment: keyUsageBits.keyEncipherment,
  dataencipherment: keyUsageBits.dataEncipherment,
  keyagreement: keyUsageBits.keyAgreement,
}

function extensionsOf(role: PkiRole, { dnsNames, ipAddresses }: Names): Buffer[] {
  const bits = role.keyUsage
    .map((name) => usageBits[name.toLowerCase().replace('keyusage', '')])
    .filter((bit) => bit !== undefined)
  const asked = role.extKeyUsage.map((name) => name.toLowerCase().replace('extkeyusage', ''))
  const usages = [
    ...(role.serverFlag || asked.includes('serverauth') ? [serverAuth] : []),
    ...(role.clientFlag || asked.includes('clientauth') ? [clientAuth] : []),
  ]
  return [
    ...(bits.length === 0 ? [] : [keyUsage(...bits)]),
    ...(usages.length === 0 ? [] : [extendedKeyUsage(...usages)]),
    ...(dnsNames.length + ipAddresses.length === 0 ? [] : [alternativeNames(dnsNames, ipAddresses)]),
  ]
}

function describeLeaf(
  { state, store }: SignContext,
  issuer: Issuer,
  pem: string,
  format: string,
  withoutRoots: boolean,
): object {
  const issuers = chainOf(store, issuer).filter((each) => !withoutRoots || !isSelfSigned(each))
  const encode = (text: string): string => (format === 'der' ? text.replaceAll(/-----[^-]+-----|\n/g, '') : text)
  const chain = issuers.map((each) => encode(each.certificatePem))
  const leaf = new X509Certificate(pem)
  return {
    ...(chain.length === 0 ? {} : { ca_chain: chain }),
    certificate: format === 'pem_bundle' ? [pem, ...chain].join('\n') : encode(pem),
    expiration: leaf.validToDate.getTime() / 1000,
    issuing_ca: encode(issuer.certificatePem),
    ...(state.flavour === 'openbao' ? { not_before: leaf.validFromDate.getTime() / 1000 } : {}),
    serial_number: formatSerial(leaf.serialNumber),
  }
}
