/**
 * Owns the signing certificate of the PKI mount: a root that is made there, or an intermediate whose request is handed out and
 * whose signed certificate comes back in a file. An issuer that is there is never replaced: that is a rotation.
 */
import { AgentError } from '../../core/errors.ts'
import { parseCertificates } from '../../pki/certificate.ts'
import { type Actual, keyName, type VaultAdmin } from './actual.ts'
import type { Change } from './changes.ts'
import { keyFieldsOf, type Substitutes } from './resources.ts'
import type { Setup } from './setup.ts'

interface CaPlan {
  readonly changes: readonly Change[]
  readonly refusals: readonly string[]
  readonly notes: readonly string[]
  readonly waits: boolean
}

const nothing: CaPlan = { changes: [], refusals: [], notes: [], waits: false }

export function planCa({ pki }: Setup, files: Substitutes['files'], { ca: state }: Actual): CaPlan {
  const { mount, ca } = pki
  if (ca.from === 'existing') {
    const note = `${mount}/ has no default issuer yet: nothing can be signed`
    return state.hasDefault ? nothing : { ...nothing, notes: [note] }
  }
  if (state.issuers > 0) {
    const why = `${mount}/ has issuers, but no default one; choose it: vault write ${mount}/config/issuers default=ID`
    return state.hasDefault ? nothing : { ...nothing, refusals: [why] }
  }
  const request = { common_name: ca.commonName, ...keyFieldsOf(pki) }
  if (ca.from === 'root') {
    // The name makes it once: of two applies at the same time, Vault refuses the second.
    const body = { ...request, ttl: `${ca.ttlSeconds}s`, issuer_name: `${keyName}-root` }
    return { ...nothing, changes: [{ do: 'generate-root', mount, body }], notes: [youngNote(mount)] }
  }
  const key: Change[] = state.hasKey ? [] : [{ do: 'generate-key', mount, body: { ...request, key_name: keyName } }]
  if (ca.certificate === undefined) {
    const note = `${mount}/ waits for its certificate: have the request that apply prints signed, and name the answer in pki.certificateFile`
    return { ...nothing, changes: key, notes: [note], waits: true }
  }
  const certificate = files.get(ca.certificate.name) ?? ''
  if (!state.hasKey) {
    const why = `${mount}/ has no key that ${ca.certificate.name} could belong to; apply without pki.certificateFile first`
    return { ...nothing, refusals: [why] }
  }
  // Its certificate may have been signed a moment ago.
  return {
    ...nothing,
    changes: [{ do: 'import-certificate', mount, body: { certificate } }],
    notes: [youngNote(mount)],
  }
}

function youngNote(mount: string): string {
  return `${mount}/ gets a new issuer: from Vault 1.21 on it signs once the issuer is 30 s old, and until then agents and doctor say issuer-too-young`
}

/** PEM of the intermediate's certificate request. It can be had again at any time: its key stays in the mount. */
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
