/** Owns how findings are shown: text for people, JSON for programs, and the exit code of the worst. */

import { doctorPageOf, runbookOf } from '../core/reason.ts'
import { reasons } from '../core/reason-catalog.ts'
import { plural } from '../core/text.ts'
import type { Finding, Status } from '../operator/doctor/check.ts'
import { exitCodes } from './exit.ts'
import type { Paint } from './terminal.ts'

const words: Readonly<Record<Status, string>> = { ok: 'ok', skipped: 'skipped', warning: 'WARNING', failure: 'FAILURE' }
const colors = { ok: '+', skipped: '~', warning: '!', failure: '-' } as const
const margin = ' '.repeat(11)

export function findingText(finding: Finding, paint: Paint): string {
  const { status, saw, title, target } = finding
  const [first = '', ...rest] = saw.split('\n')
  const about = target === undefined ? title : `${title} (${target})`
  const lines = [`${paint(` ${words[status].padEnd(9)}`, colors[status])} ${paint(about, 'bold')}`, first, ...rest]
  const { advice, see } = help(finding)
  if (advice !== undefined) lines.push(`→ ${status === 'ok' ? advice : paint(advice, 'bold')}`)
  if (see !== undefined) lines.push(`  ${see}`)
  return lines.map((line, index) => (index === 0 ? line : `${margin}${line}`)).join('\n')
}

/** What to do, and where it is told at length: the runbook for a reason, or the page of the checks. */
function help({ status, advice, code, check }: Finding): { advice: string | undefined; see: string | undefined } {
  if (status === 'ok' || status === 'skipped') return { advice, see: undefined }
  const see = code === undefined ? doctorPageOf(check) : runbookOf(code)
  return { advice: advice ?? (code === undefined ? undefined : reasons[code].advice), see }
}

export function summaryText(findings: readonly Finding[], paint: Paint): string {
  const count = (status: Status): number => findings.filter((each) => each.status === status).length
  const parts = [`${count('ok')} ok`]
  for (const status of ['warning', 'failure', 'skipped'] as const) {
    if (count(status) > 0) parts.push(status === 'skipped' ? `${count(status)} skipped` : plural(count(status), status))
  }
  return paint(parts.join(', '), colors[worst(findings)])
}

export function findingsJson(findings: readonly Finding[]): object {
  const checks = findings.map((finding) => {
    const { check, title, target, status, saw, code } = finding
    const { advice, see } = help(finding)
    return { check, title, target, status, saw: saw.split('\n'), reason: code, advice, see }
  })
  return { status: worst(findings), checks }
}

function worst(findings: readonly Finding[]): Exclude<Status, 'skipped'> {
  const has = (status: Status): boolean => findings.some((each) => each.status === status)
  return has('failure') ? 'failure' : has('warning') ? 'warning' : 'ok'
}

export function exitCodeOf(findings: readonly Finding[]): number {
  if (findings.some(({ check, status }) => check === 'configuration' && status === 'failure')) return exitCodes.config
  return { ok: exitCodes.ok, warning: exitCodes.warnings, failure: exitCodes.unavailable }[worst(findings)]
}
