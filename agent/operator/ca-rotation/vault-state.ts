/** Owns Vault's side of a CA rotation: the issuers, who signs, and which roles name their issuer. */
import type { X509Certificate } from 'node:crypto'
import { AgentError, messageOf } from '../../core/errors.ts'
import type { JsonObject } from '../../core/json.ts'
import { shortFingerprint } from '../../pki/ca-set.ts'
import { commonName, describeName, issuedByWithin, parseCertificates, validityOf } from '../../pki/certificate.ts'
import { listAt, type OpenVaultAdmin, textOf } from '../vault-setup/admin.ts'
import type { Rights } from '../vault-setup/rights.ts'
import { isCalled } from './describe.ts'
import type { Issuer, VaultState } from './state.ts'

export type RotationVault = Omit<OpenVaultAdmin, 'close'>

/** @throws AgentError */
export async function readVaultState(api: RotationVault, mount: string): Promise<VaultState> {
  const config = await api.read(`${mount}/config/issuers`)
  const tune = await api.read(`sys/mounts/${mount}/tune`)
  const ids = await listAt(api, `${mount}/issuers`)
  const held: Held[] = []
  for (const id of ids) {
    const fields = await readIssuer(api, mount, id)
    if (fields !== undefined) held.push(heldIssuer(fields, id, mount))
  }
  const defaultId = textOf(config?.['default'])
  return {
    mount,
    issuers: held.map((each) => ({ ...each.issuer, above: idsAbove(each, held) })),
    defaultId: held.some(({ issuer }) => issuer.id === defaultId) ? defaultId : undefined,
    followsLatest: config?.['default_follows_latest_issuer'] === true,
    maxTtlSeconds: Number(tune?.['max_lease_ttl'] ?? 0),
    pinnedRoles: await readPinnedRoles(api, mount, held),
  }
}

interface Held {
  readonly issuer: Omit<Issuer, 'above'>
  readonly certificate: X509Certificate
}

function heldIssuer(fields: JsonObject, id: string, mount: string): Held {
  const where = `${mount}/issuer/${id}`
  const certificate = certificateOf(textOf(fields['certificate']), where)
  const usage = fields['usage']
  const usages = typeof usage === 'string' ? usage.split(',') : Array.isArray(usage) ? usage : []
  return {
    certificate,
    issuer: {
      id,
      name: textOf(fields['issuer_name']),
      fingerprint: shortFingerprint(certificate),
      subject: commonName(certificate) ?? describeName(certificate.subject),
      notAfterMs: validityOf(certificate).notAfterMs,
      canSign: textOf(fields['key_id']) !== '' && fields['revoked'] !== true && usages.includes('issuing-certificates'),
    },
  }
}

/** @throws AgentError also for one that Vault keeps and that is of no use here, such as one with an unknown kind of key */
function certificateOf(pem: string, where: string): X509Certificate {
  try {
    return parseCertificates(pem)[0]
  } catch (cause) {
    throw new AgentError('vault-bad-answer', `${where}: data.certificate: ${messageOf(cause)}`, { cause })
  }
}

function idsAbove({ certificate, issuer }: Held, held: readonly Held[]): string[] {
  const issuedBy = issuedByWithin(true)
  const above = new Map<string, X509Certificate>([[issuer.id, certificate]])
  // A map is walked through together with what is added on the way.
  for (const below of above.values()) {
    for (const each of held) {
      if (!above.has(each.issuer.id) && issuedBy(below, each.certificate)) above.set(each.issuer.id, each.certificate)
    }
  }
  above.delete(issuer.id)
  return [...above.keys()]
}

async function readPinnedRoles(
  api: RotationVault,
  mount: string,
  held: readonly Held[],
): Promise<VaultState['pinnedRoles']> {
  const pinned: { role: string; issuerId: string }[] = []
  for (const role of await listAt(api, `${mount}/roles`)) {
    const ref = textOf((await api.read(`${mount}/roles/${role}`))?.['issuer_ref'])
    const found = held.find(({ issuer }) => isCalled(issuer, ref))
    if (found !== undefined) pinned.push({ role, issuerId: found.issuer.id })
  }
  return pinned
}

/** Undefined if it has gone since it was listed: for that, Vault has an internal error. */
async function readIssuer(api: RotationVault, mount: string, id: string): Promise<JsonObject | undefined> {
  try {
    return await api.read(`${mount}/issuer/${id}`)
  } catch (error) {
    if ((await listAt(api, `${mount}/issuers`)).includes(id)) throw error
    return undefined
  }
}

/**
 * Which rights the token needs for this: for the policy in docs/ca-rotation.md, and for saying which are missing.
 * @param makes whether a root CA may be made
 */
export function rotationRights(mount: string, makes = true): Rights {
  return {
    [`${mount}/issuers`]: ['list'],
    [`${mount}/issuer/+`]: ['read', 'delete'],
    [`${mount}/config/issuers`]: ['read', 'create', 'update'],
    [`${mount}/roles`]: ['list'],
    [`${mount}/roles/+`]: ['read'],
    [`sys/mounts/${mount}/tune`]: ['read'],
    ...(makes && { [`${mount}/root/rotate/internal`]: ['create', 'update'] }),
  }
}
