/** Owns the status as JSON: `/status` and `status --output json`. Times are ISO 8601 in UTC, durations are seconds. */

import { isoTime } from '../../core/clock.ts'
import { runbookOf } from '../../core/reason.ts'
import { type ReasonCode, reasons } from '../../core/reason-catalog.ts'
import type { VaultSight } from '../observe/present.ts'
import type { Happening } from '../observe/timeline.ts'
import type { Status, TargetStatus } from './status.ts'

export function statusJson({ node, atMs, version, vaultAddress, vault, targets }: Status): object {
  return {
    node,
    at: iso(atMs),
    version,
    vaultAddress,
    vault: vault && vaultJson(vault),
    targets: targets.map((target) => targetJson(target, atMs)),
  }
}

function vaultJson({ answered, failure }: VaultSight): object {
  return {
    answered: answered && { at: iso(answered.atMs), operation: answered.operation },
    failure: failure && { at: iso(failure.atMs), firstAt: iso(failure.firstAtMs), ...explained(failure.reason) },
  }
}

function targetJson(status: TargetStatus, nowMs: number): object {
  const { certificate, ca, failure, unproven, notTold, happenings, ...target } = status
  return {
    ...target,
    certificate: certificate && {
      commonName: certificate.commonName,
      serialNumber: certificate.serialNumber,
      issuer: certificate.issuer,
      chain: certificate.chain,
      notBefore: iso(certificate.notBeforeMs),
      notAfter: iso(certificate.notAfterMs),
      renewAt: iso(certificate.renewAtMs),
      ageSeconds: Math.floor((nowMs - certificate.notBeforeMs) / 1000),
      runwaySeconds: Math.floor((certificate.notAfterMs - nowMs) / 1000),
    },
    ca: ca.map(({ notAfterMs, ...each }) => ({ ...each, notAfter: iso(notAfterMs) })),
    failure: failure && {
      at: iso(failure.atMs),
      firstAt: iso(failure.firstAtMs),
      ...explained(failure.reason),
      detail: failure.detail,
      retryAt: iso(failure.retryAtMs),
    },
    unproven: unproven && { ...explained(unproven.reason), detail: unproven.detail },
    notTold: notTold && { ...explained(notTold.reason), detail: notTold.detail, retryAt: iso(notTold.retryAtMs) },
    happenings: happenings.map(happeningJson),
  }
}

function happeningJson({ atMs, firstAtMs, reason, ...rest }: Happening): object {
  return {
    at: iso(atMs),
    firstAt: firstAtMs && iso(firstAtMs),
    ...rest,
    ...(reason === undefined ? {} : explained(reason)),
  }
}

function explained(reason: ReasonCode): object {
  const { summary: says, advice } = reasons[reason]
  return { reason, says, advice, runbook: runbookOf(reason) }
}

function iso(ms: number): string {
  return isoTime(ms)
}
