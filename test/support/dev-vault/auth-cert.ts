/** Owns the cert auth method: the TLS client certificate must chain to a configured CA and have an allowed common name. */
import { X509Certificate } from 'node:crypto'
import { refusal, VaultFailure } from './failure.ts'
import { listField, textField } from './fields.ts'
import type { Backend, Call, LogicalAnswer, TokenSettings } from './logical.ts'
import { matchesGlob } from './policies.ts'
import { readTokenSettings, writeTokenSettings } from './role-tokens.ts'
import type { State } from './state.ts'

interface Entry {
  readonly name: string
  readonly ca: X509Certificate
  readonly displayName: string
  readonly allowedCommonNames: readonly string[]
  readonly token: TokenSettings
}

const clientAuth = '1.3.6.1.5.5.7.3.2'

export function createCertBackend(state: State): Backend {
  const entries = new Map<string, Entry>()
  const nameOf = ({ params }: Call): string => (params['name'] ?? '').toLowerCase()
  return {
    routes: [
      { path: 'login', isUnauthenticated: true, update: (call) => login(state, entries, call) },
      { path: 'certs', list: () => (entries.size === 0 ? undefined : { data: { keys: [...entries.keys()] } }) },
      {
        path: 'certs/:name',
        read: (call) => describe(entries.get(nameOf(call))),
        update: (call) => void entries.set(nameOf(call), readEntry(nameOf(call), call)),
        delete: (call) => void entries.delete(nameOf(call)),
      },
    ],
  }
}

function readEntry(name: string, { data }: Call): Entry {
  const pem = textField(data, 'certificate')
  if (!pem.includes('-----BEGIN CERTIFICATE-----')) throw refusal('failed to parse certificate')
  return {
    name,
    ca: new X509Certificate(pem),
    displayName: textField(data, 'display_name', name),
    allowedCommonNames: listField(data, 'allowed_common_names'),
    token: readTokenSettings(data),
  }
}

function login(state: State, entries: ReadonlyMap<string, Entry>, { request, data }: Call): LogicalAnswer {
  const certificate = request.peerCertificate
  if (certificate === undefined) {
    throw refusal(state.flavour === 'openbao' ? 'no client certificate found' : 'client certificate must be supplied')
  }
  const wanted = textField(data, 'name')
  const candidates = [...entries.values()].filter((entry) => wanted === '' || entry.name === wanted.toLowerCase())
  const trusted = candidates.filter(({ ca }) => certificate.checkIssued(ca) && certificate.verify(ca.publicKey))
  if (trusted.length === 0) throw refusal('invalid certificate or no client certificate supplied')
  checkUsable(certificate, state.now())
  const commonName = /^CN=(.*)$/m.exec(certificate.subject)?.[1] ?? ''
  const entry = trusted.find(
    ({ allowedCommonNames }) =>
      allowedCommonNames.length === 0 || allowedCommonNames.some((pattern) => matchesGlob(pattern, commonName)),
  )
  if (entry === undefined) throw refusal('no chain matching all constraints could be found for this login certificate')
  const serialNumber = BigInt(`0x${certificate.serialNumber}`).toString()
  const metadata = { cert_name: entry.name, common_name: commonName, serial_number: serialNumber }
  return {
    grant: { alias: { name: commonName, metadata: {} }, displayName: entry.displayName, metadata, token: entry.token },
  }
}

function checkUsable(certificate: X509Certificate, nowMs: number): void {
  const text = "failed to verify client's certificate: x509: certificate"
  const [from, to] = [certificate.validFromDate, certificate.validToDate]
  if (nowMs < from.getTime() || nowMs > to.getTime()) {
    const than = nowMs < from.getTime() ? `before ${rfc3339(from)}` : `after ${rfc3339(to)}`
    const now = rfc3339(new Date(nowMs))
    throw new VaultFailure(500, `${text} has expired or is not yet valid: current time ${now} is ${than}`)
  }
  const usages: readonly string[] | undefined = certificate.keyUsage
  if (usages === undefined || usages.includes(clientAuth)) return
  throw new VaultFailure(500, `${text} specifies an incompatible key usage`)
}

/** Whole seconds. */
function rfc3339(time: Date): string {
  return time.toISOString().replace(/\.\d+Z$/, 'Z')
}

function describe(entry: Entry | undefined): LogicalAnswer | undefined {
  if (entry === undefined) return undefined
  return {
    data: {
      allowed_common_names: entry.allowedCommonNames,
      certificate: entry.ca.toString(),
      display_name: entry.displayName,
      ...writeTokenSettings(entry.token),
    },
  }
}
