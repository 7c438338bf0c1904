/** The words of the page and of the command `status` for how a certificate stands and when Vault was seen. */
import { formatDuration } from '../../core/duration.ts'
import { reasons } from '../../core/reason-catalog.ts'
import { plural } from '../../core/text.ts'
import type { Operation } from '../../vault/vault-event.ts'
import type { VaultSight } from '../observe/present.ts'
import type { CertificateStatus, TargetStatus } from './status.ts'

/** How long it works: the part that is shown large, and the rest of the sentence. */
export function describeLife({ notAfterMs, renewAtMs }: CertificateStatus, nowMs: number): [string, string] {
  const life =
    notAfterMs > nowMs
      ? `Valid for ${formatDuration(notAfterMs - nowMs)}`
      : `Expired ${formatDuration(nowMs - notAfterMs)} ago`
  if (renewAtMs > nowMs) return [life, `renews in ${formatDuration(renewAtMs - nowMs)}`]
  const overdueMs = nowMs - renewAtMs
  return [life, overdueMs < 60_000 ? 'renewal due now' : `renewal overdue for ${formatDuration(overdueMs)}`]
}

export function describeBudget({ limit, spent }: NonNullable<TargetStatus['budget']>): string {
  return `${spent} of at most ${plural(limit, 'certificate')}`
}

const requests: Readonly<Record<Operation, string>> = {
  login: 'a login',
  sign: 'a signature',
  issuers: 'the list of issuers',
  issuer: 'an issuer',
  secret: 'a secret',
  token: 'its token',
  health: 'its health',
  setup: 'its setup',
}

/** One or a few sentences. */
export function describeVault({ answered, failure }: VaultSight, address: string | undefined, nowMs: number): string {
  const where = address === undefined ? '' : ` at ${address}`
  const seen = answered && `answered${where} ${ago(nowMs - answered.atMs)}, asked for ${requests[answered.operation]}`
  if (failure !== undefined) {
    const before = seen === undefined ? 'It has not answered since the agent started.' : `It last ${seen}.`
    return `${sentence(reasons[failure.reason].summary)}. Vault was last asked ${ago(nowMs - failure.atMs)}. ${before}`
  }
  return seen === undefined ? 'Vault has not been asked since the agent started.' : `Vault ${seen}.`
}

function ago(ms: number): string {
  return ms < 1000 ? 'just now' : `${formatDuration(ms)} ago`
}

export function sentence(clause: string): string {
  return clause.charAt(0).toUpperCase() + clause.slice(1)
}
