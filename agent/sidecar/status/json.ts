/** Owns the status as JSON: `/status` and `status --output json`. Times are ISO 8601 in UTC, durations are seconds. */
import { isoTime as iso } from '../../core/clock.ts'
import { explain } from '../observe/health.ts'
import type { VaultSight } from '../observe/present.ts'
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
    failure: failure && { at: iso(failure.atMs), firstAt: iso(failure.firstAtMs), ...explain(failure.reason) },
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
      ...explain(failure.reason),
      detail: failure.detail,
      retryAt: iso(failure.retryAtMs),
    },
    unproven: unproven && { ...explain(unproven.reason), detail: unproven.detail },
    notTold: notTold && { ...explain(notTold.reason), detail: notTold.detail, retryAt: iso(notTold.retryAtMs) },
    happenings: happenings.map(({ atMs, firstAtMs, reason, ...rest }) => ({
      at: iso(atMs),
      firstAt: firstAtMs && iso(firstAtMs),
      ...rest,
      ...(reason && explain(reason)),
    })),
  }
}
