/** Owns what etcd can be found to say of a certificate, what the findings at several members come to, and what follows. Pure. */

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

export type ProbeMode = 'warn' | 'require'

/** `unverified`: it is published, and the log says that etcd has not accepted it. */
export type Verdict = 'publish' | 'unverified' | 'refuse'

export interface ProbeContext {
  readonly mode: ProbeMode
  /** A new certificate, the published one with another CA set, or just the published one. */
  readonly subject: 'certificate' | 'ca-set' | 'in-place'
  /** What would be replaced; undefined if nothing is published. */
  readonly published: { readonly runwayMs: number; readonly lifetimeMs: number } | undefined
}

/**
 * Below this part of the lifetime a renewal is needed, heard or not: the schedule asks for one long before, and leaves a
 * tenth at least.
 */
const neededFraction = 0.25
/** Lifetimes of minutes leave no time to wait in. */
const neededMs = 60_000

export function planVerdict(code: Finding['code'], { mode, subject, published }: ProbeContext): Verdict {
  if (code === 'accepted') return 'publish'
  if (mode === 'warn' || subject === 'in-place') return 'unverified'
  // If only the CA set is new, only this code counts against it; any other refusal proves that the set verified etcd.
  const isOfCandidate = subject === 'certificate' || code === 'etcd-untrusted-server'
  if (isRefusal(code)) return isOfCandidate ? 'refuse' : 'publish'
  // Nobody was heard. What is published works as far as anybody knows; if that ends soon, the new one is the better bet.
  return published === undefined || isNeeded(published) ? 'unverified' : 'refuse'
}

function isNeeded({ runwayMs, lifetimeMs }: NonNullable<ProbeContext['published']>): boolean {
  return runwayMs < Math.max(lifetimeMs * neededFraction, neededMs)
}

const longestProbeMs = 4000
const shortestProbeMs = 250

/** How long a probe may take in all: a few seconds, and no great part of what is left. */
export function planProbeMs(published: ProbeContext['published']): number {
  if (published === undefined || published.runwayMs <= 0) return longestProbeMs
  return Math.min(Math.max(published.runwayMs / 8, shortestProbeMs), longestProbeMs)
}
