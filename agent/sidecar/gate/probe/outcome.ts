/** Owns what etcd can be found to say of a certificate, and what the findings at several members come to together. */

/**
 * Why a certificate was not seen to work, the most telling first: the further a conversation got, the more it proves. The last
 * two decide nothing.
 */
export const probeCodes = [
  'etcd-permission-denied',
  'etcd-unknown-user',
  'etcd-ignores-certificate',
  'etcd-rejected-certificate',
  'etcd-untrusted-server',
  'etcd-bad-answer',
  'etcd-unheard',
] as const
export type ProbeCode = (typeof probeCodes)[number]

/** One member's answer, or that of all of them. */
export interface Finding {
  readonly code: ProbeCode | 'accepted'
  /** One line without control characters. */
  readonly detail: string
}

export function isProbeCode(code: string): code is ProbeCode {
  return probeCodes.some((each) => each === code)
}

/** Whether etcd was heard: an answer that decides. */
export function isRefusal(code: ProbeCode): boolean {
  return code !== 'etcd-unheard' && code !== 'etcd-bad-answer'
}

/** One member that accepts is enough; otherwise the most telling finding speaks, and the detail tells of all. */
export function summarize(findings: readonly Finding[]): Finding {
  const accepted = findings.find(({ code }) => code === 'accepted')
  if (accepted !== undefined) return accepted
  const code = probeCodes.find((each) => findings.some((finding) => finding.code === each)) ?? 'etcd-unheard'
  return { code, detail: findings.map(({ detail }) => detail).join('; ') }
}
