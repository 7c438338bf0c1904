/** Owns the routes that make, import, choose and delete the issuers of a PKI mount. */
import { X509Certificate } from 'node:crypto'
import { nameOf } from '../x509.ts'
import { refusal } from './failure.ts'
import { durationField, formatGoDuration, has, numberField, textField } from './fields.ts'
import type { Call, Fields, LogicalAnswer, Route } from './logical.ts'
import { parseRequest } from './pki-csr.ts'
import {
  addIssuer,
  chainOf,
  findIssuer,
  formatSerial,
  generateRequest,
  generateRoot,
  type Issuer,
  type IssuerStore,
  signCa,
} from './pki-issuers.ts'
import type { LeaseTtls, State } from './state.ts'

export function issuerRoutes(state: State, store: IssuerStore, leases: () => LeaseTtls): Route[] {
  const validity = (data: Fields): { notBefore: Date; notAfter: Date; warnings: string[] } => {
    const { defaultSeconds, maxSeconds } = leases()
    const asked = durationField(data, 'ttl', defaultSeconds)
    const seconds = Math.min(asked, maxSeconds)
    const notBefore = new Date(
      state.now() - durationField(data, 'not_before_duration', state.refusesYoungIssuers ? 0 : 30) * 1000,
    )
    const text = `TTL "${formatGoDuration(asked)}" is longer than permitted maxTTL "${formatGoDuration(maxSeconds)}"`
    const warnings = asked > maxSeconds ? [`${text}, so maxTTL is being used`] : []
    return { notBefore, notAfter: new Date(state.now() + seconds * 1000), warnings }
  }
  const makeRoot = async ({ data }: Call): Promise<LogicalAnswer> => {
    const { warnings, ...dates } = validity(data)
    const issuer = await generateRoot(store, {
      ...dates,
      commonName: textField(data, 'common_name'),
      name: textField(data, 'issuer_name'),
      keyType: textField(data, 'key_type', 'rsa'),
      keyBits: numberField(data, 'key_bits'),
    })
    return { warnings, data: describeNewIssuer(issuer) }
  }
  return [
    { path: 'root/generate/internal', update: makeRoot },
    { path: 'root/rotate/internal', update: makeRoot },
    {
      path: 'intermediate/generate/internal',
      update: async ({ data }) => {
        const type = textField(data, 'key_type', 'rsa')
        const csr = await generateRequest(store, textField(data, 'common_name'), type, numberField(data, 'key_bits'))
        return { data: { csr } }
      },
    },
    { path: 'root/sign-intermediate', update: ({ data }) => signIntermediate(store, data, validity(data)) },
    { path: 'intermediate/set-signed', update: ({ data }) => importIssuers(store, textField(data, 'certificate')) },
    {
      path: 'config/issuers',
      read: () => ({ data: describeConfig(store) }),
      update: ({ data }) => {
        store.defaultId = findIssuer(store, textField(data, 'default')).id
        if (has(data, 'default_follows_latest_issuer'))
          store.followsLatest = data['default_follows_latest_issuer'] === true
        return { data: describeConfig(store) }
      },
    },
    {
      path: 'issuer/:ref',
      read: ({ params }) => ({ data: describeIssuer(store, findIssuer(store, params['ref'] ?? '')) }),
      update: ({ data, params }) => {
        const issuer = findIssuer(store, params['ref'] ?? '')
        issuer.leafNotAfterBehavior = textField(data, 'leaf_not_after_behavior', 'err')
        issuer.name = textField(data, 'issuer_name')
        return { data: describeIssuer(store, issuer) }
      },
      delete: ({ params }) => {
        const ref = params['ref'] ?? ''
        const isKnown = [...store.all.values()].some(({ id, name }) => id === ref || name === ref)
        if (ref !== 'default' && !isKnown) return undefined
        const issuer = findIssuer(store, ref)
        store.all.delete(issuer.id)
        if (store.defaultId !== issuer.id) return undefined
        store.defaultId = ''
        const text = `Deleted issuer ${issuer.id} (via issuer_ref ${params['ref'] ?? ''}); this was configured as the default issuer.`
        return {
          warnings: [`${text} Operations without an explicit issuer will not work until a new default is configured.`],
        }
      },
    },
  ]
}

function signIntermediate(store: IssuerStore, data: Fields, dates: { notBefore: Date; notAfter: Date }): LogicalAnswer {
  const issuer = findIssuer(store, textField(data, 'issuer_ref', 'default'))
  if (issuer.keys === undefined) throw refusal('the issuer has no key')
  const request = parseRequest(textField(data, 'csr'))
  const signed = signCa({
    ...dates,
    subject: nameOf(textField(data, 'common_name', request.commonName)),
    issuer: issuer.subject,
    publicKeyDer: request.publicKeyDer,
    signer: issuer.keys,
  })
  const chain = chainOf(store, issuer).map((each) => each.certificatePem)
  const pem = signed.certificatePem.trim()
  const expiration = Math.floor(dates.notAfter.getTime() / 1000)
  return {
    data: {
      ca_chain: chain,
      certificate: pem,
      expiration,
      issuing_ca: issuer.certificatePem,
      serial_number: formatSerial(signed.serialNumber),
    },
  }
}

/** Certificates of a bundle, each with its key if the mount made it. */
function importIssuers(store: IssuerStore, bundle: string): LogicalAnswer {
  const pems = bundle.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  if (pems.length === 0) throw refusal('certificate contains no PEM data')
  const imported = pems.map((pem) => {
    const certificate = new X509Certificate(pem)
    const known = [...store.all.values()].find((each) => each.certificate.raw.equals(certificate.raw))
    const spki = certificate.publicKey.export({ type: 'spki', format: 'der' }).toString('base64')
    const keys = store.pendingKeys.find((each) => each.publicKeyPem.replaceAll(/-----[^-]+-----|\n/g, '') === spki)
    return known?.id ?? addIssuer(store, pem, keys, '').id
  })
  return { data: { imported_issuers: imported, imported_keys: null, mapping: {} } }
}

function describeConfig(store: IssuerStore): object {
  return { default: store.defaultId, default_follows_latest_issuer: store.followsLatest }
}

function describeIssuer(store: IssuerStore, issuer: Issuer): object {
  return {
    ca_chain: chainOf(store, issuer).map((each) => `${each.certificatePem}\n`),
    certificate: `${issuer.certificatePem}\n`,
    issuer_id: issuer.id,
    issuer_name: issuer.name,
    key_id: issuer.keyId,
    leaf_not_after_behavior: issuer.leafNotAfterBehavior,
    usage: 'crl-signing,issuing-certificates,ocsp-signing,read-only',
  }
}

function describeNewIssuer(issuer: Issuer): object {
  return {
    certificate: issuer.certificatePem,
    expiration: issuer.certificate.validToDate.getTime() / 1000,
    issuer_id: issuer.id,
    issuer_name: issuer.name,
    issuing_ca: issuer.certificatePem,
    key_id: issuer.keyId,
    key_name: '',
    serial_number: formatSerial(issuer.certificate.serialNumber),
  }
}
