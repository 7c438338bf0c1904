/** Owns revocation in a PKI mount: by the holder of the key, by an operator, and the CRL that shows it at once. */
import { createPrivateKey, createPublicKey, type KeyObject, X509Certificate } from 'node:crypto'
import { signCrl, toPem } from '../x509.ts'
import { internalError, refusal } from './failure.ts'
import { textField } from './fields.ts'
import type { Fields, LogicalAnswer } from './logical.ts'
import { formatSerial, type Issuer, type IssuerStore } from './pki-issuers.ts'
import type { State } from './state.ts'

/** `stored`: certificates of roles without `no_store`, by serial number. */
export function revoke(
  state: State,
  store: IssuerStore,
  stored: ReadonlyMap<string, string>,
  data: Fields,
  needsKey: boolean,
): LogicalAnswer {
  const [serial, pem] = [textField(data, 'serial_number'), textField(data, 'certificate')]
  if (serial === '' && pem === '') throw refusal('The serial number or certificate to revoke must be provided.')
  if (serial !== '' && pem !== '')
    throw refusal('Must provide either the certificate or the serial to revoke; not both.')
  const keyPem = textField(data, 'private_key')
  if (needsKey && keyPem === '') throw refusal('Must have private key to revoke via the /revoke-with-key path.')
  const certificate = pem === '' ? findStored(stored, serial) : parseCertificate(pem)
  const issuer = [...store.all.values()].find(
    (each) => certificate.checkIssued(each.certificate) && certificate.verify(each.certificate.publicKey),
  )
  if (issuer === undefined) {
    throw internalError(
      'unable to verify signature on presented cert from any present issuer in this mount; certificates from previous CAs will need to have their issuing CA and key re-imported if revocation is necessary',
    )
  }
  if (needsKey) checkPrivateKey(certificate, keyPem)
  if (!issuer.revoked.has(certificate.serialNumber) && certificate.validToDate.getTime() < state.now() + 2000) {
    const text = `certificate with serial ${formatSerial(certificate.serialNumber)} already expired; refusing to add to CRL`
    return { warnings: [text] }
  }
  const atMs = issuer.revoked.get(certificate.serialNumber) ?? state.now()
  issuer.revoked.set(certificate.serialNumber, atMs)
  const time = { revocation_time: Math.floor(atMs / 1000), revocation_time_rfc3339: new Date(atMs).toISOString() }
  return { data: { ...time, state: 'revoked' } }
}

function findStored(stored: ReadonlyMap<string, string>, serial: string): X509Certificate {
  const pem = stored.get(serial.replaceAll(/[:-]/g, '').toUpperCase())
  if (pem === undefined) throw refusal(`certificate with serial ${serial} not found.`)
  return new X509Certificate(pem)
}

function parseCertificate(pem: string): X509Certificate {
  if (pem.length < 75) {
    const text = 'perhaps a path was passed to the API rather than the contents of a PEM file'
    throw internalError(`provided certificate data was too short; ${text}`)
  }
  try {
    return new X509Certificate(pem)
  } catch {
    throw internalError('certificate contains no PEM data')
  }
}

function checkPrivateKey(certificate: X509Certificate, keyPem: string): void {
  let key: KeyObject
  try {
    key = createPrivateKey(keyPem)
  } catch {
    throw internalError('failed to parse provided private key')
  }
  const isSame = createPublicKey(key).equals(certificate.publicKey)
  if (!isSame) throw internalError("provided private key does not match certificate's public key")
}

export function buildCrl(state: State, issuer: Issuer): { der: Buffer; pem: string } {
  if (issuer.keys === undefined) throw internalError(`unable to use issuer ${issuer.id}: it has no key`)
  const [now, next] = [new Date(state.now()), new Date(state.now() + 72 * 3_600_000)]
  const revoked = new Map([...issuer.revoked].map(([serial, atMs]) => [serial, new Date(atMs)]))
  const der = signCrl(issuer.subject, now, next, revoked, issuer.keys)
  return { der, pem: toPem('X509 CRL', der) }
}
