/** Owns what `setup-vault` prints: a plan in the way of terraform, a line for each change, and the same as JSON. */
import { type Change, type Plan, pathOf } from '../operator/vault-setup/changes.ts'
import { describeChange } from '../operator/vault-setup/describe.ts'
import type { Paint } from './terminal.ts'

export function setupPlanText(plan: Plan, paint: Paint): string {
  const lines: string[] = []
  for (const change of plan.changes) {
    const { sign, subject, lines: details } = describeChange(change)
    lines.push(`${paint(sign, sign)} ${subject}`)
    for (const detail of details) lines.push(`    ${paint(detail.sign, detail.sign)} ${detail.text}`)
  }
  if (lines.length > 0) lines.push('')
  for (const text of plan.refusals) lines.push(`${paint('Refused:', '-')} ${text}.`)
  for (const text of plan.notes) lines.push(`${paint('Note:', '!')} ${text}.`)
  return `${[...lines, paint(summary(plan), 'bold')].join('\n')}\n`
}

function summary({ changes, refusals, waitsForCertificate }: Plan): string {
  if (refusals.length > 0) return 'Nothing can be applied before that is solved.'
  if (changes.length === 0) {
    return waitsForCertificate ? 'In step, but for the certificate of the CA.' : 'In step: nothing to do.'
  }
  const count = (sign: string): number => changes.filter((change) => describeChange(change).sign === sign).length
  return `Plan: ${count('+')} to add, ${count('~')} to change.`
}

export function isInStep({ changes, refusals, waitsForCertificate }: Plan): boolean {
  return changes.length + refusals.length === 0 && !waitsForCertificate
}

export function setupPlanJson(plan: Plan): object {
  const { refusals, notes } = plan
  return { inStep: isInStep(plan), changes: plan.changes.map(setupChangeJson), refusals, notes }
}

export function setupChangeJson(change: Change): object {
  const { subject, lines } = describeChange(change)
  return { do: change.do, path: pathOf(change), subject, details: lines.map(({ sign, text }) => `${sign} ${text}`) }
}

export function setupChangeLine(change: Change, paint: Paint): string {
  const { sign, subject } = describeChange(change)
  return `${paint(sign, sign)} ${subject} (${pathOf(change)})\n`
}
