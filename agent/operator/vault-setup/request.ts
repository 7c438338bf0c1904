/** Owns the intermediate's certificate request: it can be had again at any time, since its key stays in the mount. */
import { AgentError } from '../../core/errors.ts'
import { parseCertificates } from '../../pki/certificate.ts'
import { keyName, type VaultAdmin } from './actual.ts'
import type { Setup } from './setup.ts'

/** PEM. */
export async function requestOf(api: VaultAdmin, { pki }: Setup): Promise<string> {
  const path = `${pki.mount}/intermediate/generate/existing`
  const commonName = pki.ca.from === 'existing' ? '' : pki.ca.commonName
  const csr = (await api.write(path, { common_name: commonName, key_ref: keyName }))?.['csr']
  if (typeof csr !== 'string') throw new AgentError('vault-bad-answer', `${path}: data.csr is not a string`)
  return csr.trim()
}

/** A certificate of another key would become an issuer that cannot sign, and the mount would keep it. */
export async function refuseForeignCertificate(
  api: VaultAdmin,
  setup: Setup,
  { certificate }: Readonly<Record<string, unknown>>,
): Promise<void> {
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
