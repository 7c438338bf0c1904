/** Owns what a PKI mount tells anybody, without a token: issuers, CA certificates and CRLs. */
import type { Call, Handler, LogicalAnswer, Route } from './logical.ts'
import { chainOf, findIssuer, formatSerial, type Issuer, type IssuerStore } from './pki-issuers.ts'
import { buildCrl } from './pki-revoke.ts'
import type { State } from './state.ts'

export function caReadRoutes(state: State, store: IssuerStore): Route[] {
  const open = (path: string, read: Handler): Route => ({ path, isUnauthenticated: true, read })
  const byRef = ({ params }: Call): Issuer => findIssuer(store, params['ref'] ?? '')
  /** The legacy paths read the default issuer, and are empty when there is none. */
  const ofDefault =
    (contentType: string, read: (issuer: Issuer) => string | Buffer): Handler =>
    () => {
      const issuer = store.all.get(store.defaultId)
      return issuer === undefined ? raw(contentType, '', 204) : raw(contentType, read(issuer))
    }
  const certificate = (read: (issuer: Issuer) => string, withChain = false): Handler => {
    return () => {
      const text = read(findIssuer(store, 'default'))
      const chain = withChain ? { ca_chain: text } : {}
      return { data: { ...chain, certificate: text, revocation_time: 0, revocation_time_rfc3339: '' } }
    }
  }
  const chainText = (issuer: Issuer): string => chainPems(store, issuer).join('\n')
  const crl = (issuer: Issuer): { der: Buffer; pem: string } => buildCrl(state, issuer)
  return [
    { path: 'issuers', isUnauthenticated: 'list', list: () => listIssuers(state, store) },
    open('issuer/:ref/json', (call) => ({ data: describe(store, byRef(call)) })),
    open('issuer/:ref/pem', (call) => raw('application/pem-certificate-chain', `${byRef(call).certificatePem}\n`)),
    open('issuer/:ref/der', (call) => raw('application/pkix-cert', byRef(call).certificate.raw)),
    open('issuer/:ref/crl/pem', (call) => raw('application/x-pem-file', crl(byRef(call)).pem)),
    open('issuer/:ref/crl/der', (call) => raw('application/pkix-crl', crl(byRef(call)).der)),
    open(
      'ca',
      ofDefault('application/pkix-cert', (issuer) => issuer.certificate.raw),
    ),
    open(
      'ca/pem',
      ofDefault('application/pem-certificate-chain', (issuer) => issuer.certificatePem),
    ),
    open('ca_chain', ofDefault('application/pkix-cert', chainText)),
    open(
      'crl',
      ofDefault('application/pkix-crl', (issuer) => crl(issuer).der),
    ),
    open(
      'crl/pem',
      ofDefault('application/x-pem-file', (issuer) => crl(issuer).pem),
    ),
    open(
      'cert/ca',
      certificate((issuer) => issuer.certificatePem),
    ),
    open('cert/ca_chain', certificate(chainText, true)),
    open(
      'cert/crl',
      certificate((issuer) => crl(issuer).pem.trim()),
    ),
  ]
}

function raw(contentType: string, body: string | Buffer, status = 200): LogicalAnswer {
  return { status, raw: { contentType, body } }
}

function chainPems(store: IssuerStore, issuer: Issuer): string[] {
  return chainOf(store, issuer).map((each) => each.certificatePem)
}

function describe(store: IssuerStore, issuer: Issuer): object {
  return {
    ca_chain: chainPems(store, issuer).map((pem) => `${pem}\n`),
    certificate: `${issuer.certificatePem}\n`,
    issuer_id: issuer.id,
    issuer_name: issuer.name,
  }
}

function listIssuers({ flavour }: State, store: IssuerStore): LogicalAnswer | undefined {
  if (store.all.size === 0) return undefined
  const info = [...store.all.values()].map((each) => {
    const more = { key_id: each.keyId, serial_number: formatSerial(each.certificate.serialNumber) }
    const basic = { is_default: each.id === store.defaultId, issuer_name: each.name }
    return [each.id, flavour === 'openbao' ? { ...basic, ...more } : basic]
  })
  return { data: { key_info: Object.fromEntries(info) as object, keys: [...store.all.keys()] } }
}
