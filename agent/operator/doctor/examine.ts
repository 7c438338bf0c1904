/** Owns the order of the examination: each check after those it needs, once or for each target, each for a bounded time. */
import type { Target } from '../../config/config.ts'
import { isoTime } from '../../core/clock.ts'
import { type ReasonCode, reasons } from '../../core/reason-catalog.ts'
import type { Access } from './access.ts'
import { type Check, type Finding, skipped, type Verdict, verdictOf } from './check.ts'

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
  const findings: Finding[] = []
  const [first] = targets
  if (first === undefined) throw new Error('a configuration without a target')
  for (const check of checks.filter((each) => hasPoint(each, access))) {
    for (const target of check.each === 'target' ? targets : [first]) {
      const name = check.each === 'target' ? target.component : undefined
      const verdict = missing(check, name, findings, checks) ?? (await bounded(check, access, target, limitMs))
      const finding = withClock({ check: check.id, title: check.title, target: name, ...verdict }, () =>
        access.clock.now(),
      )
      findings.push(finding)
      found(finding)
    }
  }
  return findings
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
  const advice = finding.advice ?? (code === undefined ? undefined : reasons[code].advice)
  return { ...finding, advice: advice === undefined ? clock : `${advice} ${clock}` }
}

/** A check of what is not there by configuration would say nothing, and nothing that builds on it has to wait. */
function hasPoint({ where }: Check, access: Access): boolean {
  if (where === undefined) return true
  const { onPublish, source } = access.config
  if (where === 'on-publish') return onPublish !== undefined
  const { kind } = source
  return where === 'vault' ? kind !== 'file' : (where === 'pki') === (kind === 'pki')
}

/** What the check would have to build on and cannot: the cause itself, not the checks between. */
function missing(
  check: Check,
  target: string | undefined,
  findings: readonly Finding[],
  checks: readonly Check[],
): Verdict | undefined {
  let cause = brokenNeed(check, target, findings)
  for (let deeper = cause; deeper !== undefined; deeper = brokenNeedOf(deeper, findings, checks)) cause = deeper
  if (cause === undefined) return undefined
  return skipped(cause.status === 'failure' ? `${cause.check} has failed` : `${cause.check} was skipped: ${cause.saw}`)
}

function brokenNeed(check: Check, target: string | undefined, findings: readonly Finding[]): Finding | undefined {
  const concerned = (each: Finding): boolean =>
    (each.target === undefined || target === undefined || each.target === target) &&
    check.needs?.includes(each.check) === true
  return findings.find((each) => concerned(each) && (each.status === 'failure' || each.status === 'skipped'))
}

/** The check whose failure is why a finding was skipped. */
function brokenNeedOf({ check: id, target, status }: Finding, findings: readonly Finding[], checks: readonly Check[]) {
  const check = checks.find((each) => each.id === id)
  return status === 'skipped' && check !== undefined ? brokenNeed(check, target, findings) : undefined
}

async function bounded(check: Check, access: Access, target: Target, limitMs: number): Promise<Verdict> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<Verdict>((resolve) => {
    const saw = `no result within ${limitMs / 1000} s`
    timer = setTimeout(() => resolve({ status: 'failure', saw, advice: 'Look at what the check asks.' }), limitMs)
  })
  try {
    return await Promise.race([Promise.resolve(check.run(access, target)), late])
  } catch (error) {
    return verdictOf(error)
  } finally {
    clearTimeout(timer)
  }
}

/** Without a configuration nothing else can be looked at. */
export function failedConfiguration(
  { id, title }: Pick<Check, 'id' | 'title'>,
  checks: readonly Check[],
  problems: readonly string[],
): Finding[] {
  const advice = 'Correct each of them; calico-vault-agent --help lists all variables.'
  const saw = problems.join('\n')
  return [
    { check: id, title, target: undefined, status: 'failure', saw, advice },
    ...checks
      .filter((check) => check.id !== id)
      .map((check) => ({ check: check.id, title: check.title, target: undefined, ...skipped(`${id} has failed`) })),
  ]
}
