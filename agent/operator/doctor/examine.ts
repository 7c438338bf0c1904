/** Owns the order of the examination: each check after those it needs, once or for each target, each for a bounded time. */
import type { Target } from '../../config/config.ts'
import { isoTime } from '../../core/clock.ts'
import type { ReasonCode } from '../../core/reason-catalog.ts'
import type { Access } from './access.ts'
import { adviceOf, type Check, configured, type Finding, skipped, type Verdict, verdictOf } from './check.ts'

export interface Examination {
  readonly checks: readonly Check[]
  readonly targets: readonly Target[]
  readonly access: Access
  /** The longest that one check may take. */
  readonly limitMs: number
  /** Called with each finding as it comes. */
  readonly found: (finding: Finding) => void
}

/** @returns every finding, in order */
export async function examine({ checks, targets, access, limitMs, found }: Examination): Promise<Finding[]> {
  const [first] = targets
  if (first === undefined) throw new Error('a configuration without a target')
  const findings: Finding[] = []
  /** Why a check was not made: that keeps what needs it from being made, too. */
  const causes = new Map<Finding, string>()
  for (const check of checks) {
    const { id, title, where, each } = check
    if (where !== undefined && !configured[where](access.config)) continue
    for (const target of each === 'target' ? targets : [first]) {
      const component = each === 'target' ? target.component : undefined
      const broken = brokenNeed(check, component, findings)
      const cause = broken && (causes.get(broken) ?? causeBy(broken))
      const verdict = cause === undefined ? await bounded(check, access, target, limitMs) : skipped(cause)
      const finding = withClock({ check: id, title, target: component, ...verdict }, () => access.clock.now())
      if (cause !== undefined) causes.set(finding, cause)
      findings.push(finding)
      found(finding)
    }
  }
  return findings
}

/** The first that has no success of those that the check builds on. */
function brokenNeed(
  { needs = [] }: Check,
  component: string | undefined,
  findings: readonly Finding[],
): Finding | undefined {
  return findings.find(
    ({ check, target, status }) =>
      needs.includes(check) &&
      (target === undefined || component === undefined || target === component) &&
      (status === 'failure' || status === 'skipped'),
  )
}

function causeBy({ check, status, saw }: Finding): string {
  return status === 'failure' ? `${check} has failed` : `${check} was skipped: ${saw}`
}

/** Codes whose reason is a date. */
const aboutDates: readonly (ReasonCode | undefined)[] = ['credential-expired', 'expired', 'not-yet-valid']
const dateWords = /expired|not yet valid|CERT_HAS_EXPIRED|CERT_NOT_YET_VALID/i

/** A date that is wrong is as often a clock that is wrong: whoever looks is to compare. */
export function withClock(finding: Finding, now: () => number): Finding {
  const { check, status, code, saw } = finding
  if (check === 'clock' || (status !== 'failure' && status !== 'warning')) return finding
  if (!aboutDates.includes(code) && !dateWords.test(saw)) return finding
  const clock = `Or the clock is wrong: this machine has ${isoTime(now()).slice(0, 19)}Z (check \`clock\`).`
  const advice = adviceOf(finding)
  return { ...finding, advice: advice === undefined ? clock : `${advice} ${clock}` }
}

async function bounded(check: Check, access: Access, target: Target, limitMs: number): Promise<Verdict> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<Verdict>((resolve) => {
    const saw = `no result within ${limitMs / 1000} s`
    timer = setTimeout(() => resolve({ status: 'failure', saw, advice: 'Look at what the check asks.' }), limitMs)
  })
  try {
    return await Promise.race([check.run(access, target), late])
  } catch (error) {
    return verdictOf(error)
  } finally {
    clearTimeout(timer)
  }
}

/** Without a configuration, which is the first check, nothing else can be looked at. */
export function failedConfiguration(checks: readonly Check[], problems: readonly string[]): Finding[] {
  const advice = 'Correct each of them; calico-vault-agent --help lists all variables.'
  const failed: Verdict = { status: 'failure', saw: problems.join('\n'), advice }
  return checks.map(({ id, title }, index) => {
    const verdict = index === 0 ? failed : skipped(`${checks[0]?.id} has failed`)
    return { check: id, title, target: undefined, ...verdict }
  })
}
