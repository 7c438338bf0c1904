/**
 * Owns the phase of a CA rotation that a node is in (docs/ca-rotation.md): a pure function of what Vault lists and of what is
 * published. A phase holds for one node; the rotation goes on when every node is in the next one.
 */
import type { X509Certificate } from 'node:crypto'
import { type LiveCertificate, withIssuersAbove } from './ca-set.ts'
import { findChain, isValidAt, validityOf } from './certificate.ts'

interface Phase {
  /** What is so, as a clause. */
  readonly summary: string
  /** What the operator does next. */
  readonly advice: string
}

export const caPhases = {
  steady: { summary: 'one CA signs, and etcd-ca holds nothing that is not needed', advice: 'Nothing to do.' },
  spreading: {
    summary: 'Vault lists an issuer that is not in etcd-ca yet',
    advice: 'Wait: the agent checks the issuers once an hour, or more often if certificates are short-lived.',
  },
  overlap: {
    summary: 'etcd-ca holds the old and the new issuer; the old one still signs',
    advice:
      'Once every node is here: give the new CA to etcd (--trusted-ca-file); if its servers will use it too, restart consumers that started before; then make it the default issuer.',
  },
  switched: {
    summary: 'the new issuer signs, but the published certificate is of the old one',
    advice: 'Wait for the renewal slot of this node, or run `calico-vault-agent renew` there.',
  },
  retiring: {
    summary: 'the published certificate is of the new issuer; Vault still lists the old one',
    advice:
      'Delete the old issuer once calico_vault_agent_ca_in_use_until_timestamp_seconds is in the past for it everywhere.',
  },
  leaving: {
    summary: 'etcd-ca still holds a CA that Vault has forgotten',
    advice:
      'Nothing: it leaves with the last certificate that chains to it. Then remove it from etcd (--trusted-ca-file).',
  },
} as const satisfies Record<string, Phase>

export type CaPhase = keyof typeof caPhases

/** What is published, and what Vault lists. */
export interface CaView extends LiveCertificate {
  /** All issuers of the PKI mount. */
  readonly issuers: readonly X509Certificate[]
  /** The issuer that signs now (`config/issuers`). */
  readonly defaultIssuer: X509Certificate
  /** AGENT_ETCD_CA_FILE: part of etcd-ca, and of no rotation here. */
  readonly etcdCa: readonly X509Certificate[]
}

export interface CaFinding {
  readonly phase: CaPhase
  /** The certificates that make it this phase: those that are missing, new, or on their way out. */
  readonly concerns: readonly X509Certificate[]
}

export function findCaPhase(view: CaView, nowMs: number): CaFinding {
  const { defaultIssuer, leaf, intermediates, ca, etcdCa } = view
  const issuers = view.issuers.filter((issuer) => isValidAt(issuer, nowMs))
  const missing = without(issuers, ca)
  if (missing.length > 0) return { phase: 'spreading', concerns: missing }
  // An intermediate and its root are one line.
  const line = withIssuersAbove(defaultIssuer, issuers)
  const others = without(issuers, line)
  if (findChain(leaf, intermediates, line, nowMs) === undefined) return { phase: 'switched', concerns: others }
  // One of the same second counts as newer: nothing may be deleted by mistake.
  const isNewer = (issuer: X509Certificate): boolean =>
    validityOf(issuer).notBeforeMs >= validityOf(defaultIssuer).notBeforeMs
  const newer = others.filter(isNewer)
  if (newer.length > 0) return { phase: 'overlap', concerns: newer }
  if (others.length > 0) return { phase: 'retiring', concerns: others }
  const leaving = without(ca, [...issuers, ...etcdCa]).filter((each) => isValidAt(each, nowMs))
  return leaving.length > 0 ? { phase: 'leaving', concerns: leaving } : { phase: 'steady', concerns: [] }
}

function without(certificates: readonly X509Certificate[], others: readonly X509Certificate[]): X509Certificate[] {
  const prints = new Set(others.map((each) => each.fingerprint256))
  return certificates.filter((each) => !prints.has(each.fingerprint256))
}
