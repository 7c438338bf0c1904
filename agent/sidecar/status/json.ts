/** Owns the status as JSON: `/status` and `status --output json`. Times are ISO 8601 in UTC, durations are seconds. */

import { isoTime } from '../../core/clock.ts'
import { runbookOf } from '../../core/reason.ts'
import { reasons } from '../../core/reason-catalog.ts'
import type { Happening } from '../observe/timeline.ts'
import type { Status, TargetStatus } from './status.ts'

export function statusJson({ node, atMs, version, vaultAddress, targets }: Status): object {
  return { node, at: iso(atMs), version, vaultAddress, targets: targets.map((target) => targetJson(target, atMs)) }
}

function targetJson({ certificate, ca, failure, happenings, ...target }: TargetStatus, nowMs: number): object {
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
    failure: failure && happeningJson(failure),
    happenings: happenings.map(happeningJson),
  }
}

function happeningJson({ atMs, firstAtMs, retryAtMs, renewAtMs, reason, ...rest }: Happening): object {
  return {
    at: iso(atMs),
    firstAt: firstAtMs && iso(firstAtMs),
    retryAt: retryAtMs && iso(retryAtMs),
    renewAt: renewAtMs && iso(renewAtMs),
    ...rest,
    ...(reason === undefined
      ? {}
      : { reason, says: reasons[reason].summary, advice: reasons[reason].advice, runbook: runbookOf(reason) }),
  }
}

function iso(ms: number): string {
  return isoTime(ms)
}
