/** Owns what `provision` prints: a plan in the way of terraform, a line for each change, and the same as JSON. */
import { type DefaultObject, keyOf } from '../operator/etcd/defaults.ts'
import { describeChange } from '../operator/etcd/describe.ts'
import { describeRange } from '../operator/etcd/grants.ts'
import { type Change, changesOf, type Plan } from '../operator/etcd/plan.ts'
import type { Paint } from './terminal.ts'

export interface Look {
  readonly authEnabled: boolean
  readonly plan: Plan
  /** Besides the plan's own. */
  readonly warnings: readonly string[]
  /** What a fresh datastore lacks and is to get. */
  readonly defaults: readonly DefaultObject[]
}

export function planText({ plan, warnings, authEnabled, defaults }: Look, paint: Paint): string {
  const lines = defaults.map((object) => defaultLine(object, paint).trimEnd())
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
  lines.push(...remarks(plan, warnings, authEnabled, paint), paint(summary(plan, defaults.length), 'bold'))
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

export function summary(plan: Plan, defaults: number): string {
  if (plan.refusals.length > 0) return 'Nothing can be applied before that is solved.'
  const changes = changesOf(plan)
  if (changes.length + defaults === 0) return 'In step: nothing to do.'
  const count = (sign: string): number => changes.filter((change) => describeChange(change).sign === sign).length
  return `Plan: ${count('+') + defaults} to add, ${count('~')} to change, ${count('-')} to take away.`
}

export function planJson({ plan, warnings, authEnabled, defaults }: Look): object {
  return {
    inStep: plan.refusals.length === 0 && plan.phases.length === 0 && defaults.length === 0,
    authEnabled,
    changes: changesOf(plan).map(changeJson),
    defaults: defaults.map(({ spec, ...object }) => ({ key: keyOf({ spec, ...object }), spec })),
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

export function defaultLine(object: DefaultObject, paint: Paint): string {
  const { kind, spec } = object
  return `${paint('+', '+')} key ${keyOf(object)}: make the ${kind} ${JSON.stringify(spec)} (calico-node cannot)\n`
}
