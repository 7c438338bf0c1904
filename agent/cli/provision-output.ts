/** Owns what `provision` prints: a plan in the way of terraform, a line for each change, and the same as JSON. */
import { describeChange } from '../etcd/describe.ts'
import { describeRange } from '../etcd/grants.ts'
import { type Change, changesOf, type Plan } from '../etcd/plan.ts'
import type { Paint } from './terminal.ts'

export interface Look {
  readonly authEnabled: boolean
  readonly plan: Plan
  /** Besides the plan's own. */
  readonly warnings: readonly string[]
}

export function planText({ plan, warnings, authEnabled }: Look, paint: Paint): string {
  const lines: string[] = []
  for (const [subject, changes] of Map.groupBy(changesOf(plan), (change) => describeChange(change).subject)) {
    const signs = changes.map(({ do: what }) => what)
    const whole = signs.some((what) => what.startsWith('add-'))
      ? '+'
      : signs.some((what) => what.startsWith('delete-'))
        ? '-'
        : '~'
    lines.push(`${paint(whole, whole)} ${subject}`)
    for (const change of changes) {
      if (change.do === 'add-role' || change.do === 'delete-role') continue
      const { sign, what, why } = describeChange(change)
      lines.push(`    ${paint(sign, sign)} ${what}${sign === '+' ? '' : ` (${why})`}`)
    }
  }
  if (lines.length > 0) lines.push('')
  lines.push(...remarks(plan, warnings, authEnabled, paint), paint(summary(plan), 'bold'))
  return `${lines.join('\n')}\n`
}

/** Everything that is not a change: what is in the way, what is left alone, what to know. */
function remarks(plan: Plan, warnings: readonly string[], authEnabled: boolean, paint: Paint): string[] {
  const notes = [...plan.notes, ...warnings]
  if (!authEnabled) notes.push('authentication is off: etcd enforces none of this yet (provision apply --enable-auth)')
  return [
    ...plan.refusals.map((text) => `${paint('Refused:', '-')} ${text}.`),
    ...notes.map((text) => `${paint('Note:', '!')} ${text}.`),
  ]
}

export function summary(plan: Plan): string {
  if (plan.refusals.length > 0) return 'Nothing can be applied before that is solved.'
  const changes = changesOf(plan)
  if (changes.length === 0) return 'In step: nothing to do.'
  const count = (sign: string): number => changes.filter((change) => describeChange(change).sign === sign).length
  return `Plan: ${count('+')} to add, ${count('~')} to change, ${count('-')} to take away.`
}

export function planJson({ plan, warnings, authEnabled }: Look): object {
  return {
    inStep: plan.refusals.length === 0 && plan.phases.length === 0,
    authEnabled,
    changes: changesOf(plan).map(changeJson),
    refusals: plan.refusals,
    notes: [...plan.notes, ...warnings],
  }
}

export function changeJson(change: Change): object {
  const { why } = describeChange(change)
  const { do: what, ...rest } = change
  return 'grant' in change
    ? { do: what, role: change.role, access: change.grant.access, keys: describeRange(change.grant), why }
    : { do: what, ...rest, why }
}

export function changeLine(change: Change, paint: Paint): string {
  const { sign, subject, what, why } = describeChange(change)
  return `${paint(sign, sign)} ${subject}: ${what} (${why})\n`
}
