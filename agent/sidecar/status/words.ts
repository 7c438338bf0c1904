/** The page's words for how a certificate stands. */
import { formatDuration } from '../../core/duration.ts'
import type { Condition } from './problems.ts'
import type { CertificateStatus } from './status.ts'

export const words: Readonly<Record<Condition, string>> = {
  good: 'Good',
  failing: 'Good, but not renewing',
  late: 'Renewal overdue',
  expired: 'Expired',
  unreadable: 'Unreadable',
  missing: 'Missing',
}

export const signs: Readonly<Record<Condition, string>> = {
  good: '✓',
  failing: '!',
  late: '!',
  expired: '✕',
  unreadable: '✕',
  missing: '✕',
}

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
