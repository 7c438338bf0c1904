/**
 * Owns the signing certificate of the PKI mount: a root that is made there, or an intermediate whose request is handed out and
 * whose signed certificate comes back in a file. An issuer that is there is never replaced: that is a rotation.
 */
import type { VaultAddress } from '../../config/vault.ts'
import { AgentError } from '../../core/errors.ts'
import { quoted } from '../../core/text.ts'
import { parseCertificates } from '../../pki/certificate.ts'
import type { KeyType } from '../../pki/key.ts'
import type { Actual } from './actual.ts'
import type { VaultAdmin } from './admin.ts'
import type { PlanPart } from './changes.ts'
import { keyFields } from './resources.ts'
import { type Fields, type FileTexts, keyName, type OwnCa, type Setup } from './setup.ts'

export function planCa({ pki }: Setup, files: FileTexts, { ca: found }: Actual): PlanPart {
  const { mount, ca } = pki
  if (ca.from === 'existing') {
    return found.hasDefault ? {} : { notes: [`${mount}/ has no default issuer yet: nothing can be signed`] }
  }
  if (found.hasIssuers) {
    const why = `${mount}/ has issuers, but no default one; choose it: vault write ${mount}/config/issuers default=ID`
    return found.hasDefault ? {} : { refusals: [why] }
  }
  const young = `${mount}/ gets a new issuer: from Vault 1.21 on it signs once the issuer is 30 s old, and until then agents and doctor say issuer-too-young`
  const sign = '+'
  const body = caRequest(ca, pki.keyType)
  if (ca.from === 'root') {
    const path = `${mount}/root/generate/internal`
    return { changes: [{ do: 'generate-root', path, subject: `root CA in ${mount}/`, sign, body }], notes: [young] }
  }
  if (ca.certificate === undefined) {
    const path = `${mount}/intermediate/generate/internal`
    const subject = `key of the intermediate CA in ${mount}/`
    const note = `${mount}/ waits for its certificate: have the request that apply prints signed, and name the answer in pki.certificateFile`
    return {
      changes: found.hasKey ? [] : [{ do: 'generate-key', path, subject, sign, body }],
      notes: [note],
      waitsFor: 'the certificate of the CA',
    }
  }
  const { name } = ca.certificate
  if (!found.hasKey) {
    const why = `${mount}/ has no key that ${name} could belong to; apply without pki.certificateFile first`
    return { refusals: [why] }
  }
  const path = `${mount}/intermediate/set-signed`
  const subject = `certificate of the intermediate CA in ${mount}/`
  const certificate = files.get(name) ?? ''
  // Its certificate may have been signed a moment ago.
  return { changes: [{ do: 'import-certificate', path, subject, sign, body: { certificate } }], notes: [young] }
}

/**
 * What is sent to make the root, or the key of the intermediate. Vault takes the name of an issuer once: of two applies at the
 * same time it refuses the second.
 */
export function caRequest({ from, commonName, ttlSeconds }: OwnCa, keyType: KeyType): Fields {
  const named = from === 'root' ? { ttl: `${ttlSeconds}s`, issuer_name: `${keyName}-root` } : { key_name: keyName }
  return { common_name: commonName, ...keyFields[keyType], ...named }
}

/** PEM of the intermediate's certificate request. It can be had again at any time: its key stays in the mount. */
export async function requestOf(api: VaultAdmin, { pki: { mount, ca } }: Setup): Promise<string> {
  const path = `${mount}/intermediate/generate/existing`
  const commonName = ca.from === 'existing' ? '' : ca.commonName
  const csr = (await api.write(path, { common_name: commonName, key_ref: keyName }))?.['csr']
  if (typeof csr !== 'string') throw new AgentError('vault-bad-answer', `${path}: data.csr is not a string`)
  return csr.trim()
}

/** A certificate of another key would become an issuer that cannot sign, and the mount would keep it. */
export async function refuseForeignCertificate(api: VaultAdmin, setup: Setup, { certificate }: Fields): Promise<void> {
  const request = Buffer.from((await requestOf(api, setup)).replaceAll(/-----[^-]+-----|\s/g, ''), 'base64')
  // A request holds its public key just as a certificate does (RFC 2986, 4.1): SubjectPublicKeyInfo.
  const belongs = parseCertificates(String(certificate)).some(({ publicKey }) =>
    request.includes(publicKey.export({ type: 'spki', format: 'der' })),
  )
  if (belongs) return
  const { mount, ca } = setup.pki
  const name = ca.from === 'existing' ? '' : (ca.certificate?.name ?? '')
  throw new AgentError(
    'setup-conflict',
    `no certificate in ${name} belongs to the key of ${mount}/; have the request signed that apply prints without pki.certificateFile`,
  )
}

/**
 * The line that fetches the PKI CA, which etcd must trust for its clients. It is not the CA of Vault's own server certificate,
 * which the line verifies Vault with. Whoever reaches Vault may read it: no token is needed.
 */
export function pkiCaHint({ origins, caFile, namespace }: VaultAddress, mount: string): string {
  const [origin = ''] = origins
  const isSocket = origin.startsWith('unix://')
  const options = [
    ...(caFile === undefined ? [] : ['--cacert', caFile]),
    ...(namespace === undefined ? [] : ['-H', `X-Vault-Namespace: ${namespace}`]),
    ...(isSocket ? ['--unix-socket', origin.slice('unix://'.length)] : []),
  ]
  const url = `${isSocket ? 'http://localhost' : origin}/v1/${mount}/ca/pem`
  const command = ['curl', '-fsS', ...options, url].map(quoted).join(' ')
  return `etcd must trust the PKI CA for its clients (--trusted-ca-file). To fetch it:\n  ${command} > pki-ca.pem`
}
