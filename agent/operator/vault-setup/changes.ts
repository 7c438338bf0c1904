/** Owns the single writes that a plan is made of, and how they read: to what each happens, and field by field what becomes of it. */
import { createHash } from 'node:crypto'
import type { ChangeText, Plan, Sign, Wording } from '../engine/bring-in-step.ts'
import type { Fields } from './setup.ts'

export interface Change {
  readonly do: 'enable' | 'tune' | 'generate-root' | 'generate-key' | 'import-certificate' | 'write'
  /** Where it is written, in Vault's API. */
  readonly path: string
  readonly body: Fields
  /** What people read, such as `policy NAME`. */
  readonly subject: string
  readonly sign: '+' | '~'
  /** Field by field what becomes of what may be there. Without it, the body is all there is to say. */
  readonly differences?: readonly Difference[]
  /** The machine that it is for, if each has one. */
  readonly node?: string | undefined
}

export interface Difference {
  readonly field: string
  /** Undefined: not there. */
  readonly before: unknown
  readonly after: unknown
}

export type VaultPlan = Plan<Change>

/** What one concern of the setup adds to the plan. */
export interface PlanPart extends Partial<Pick<VaultPlan, 'refusals' | 'notes' | 'waitsFor'>> {
  readonly changes?: readonly Change[]
}

/** How a write to Vault reads, and to which path it goes. */
export type WriteText = Pick<ChangeText, 'sign' | 'subject' | 'node' | 'lines'> & { readonly path: string }

/** One source for plan, log and JSON. */
export function wordingOf<Write extends { readonly do: string }>(
  signs: readonly Sign[],
  textOf: (change: Write) => WriteText,
): Wording<Write> {
  return {
    signs,
    describe(change) {
      const { sign, subject, node, lines, path } = textOf(change)
      return { sign, subject, node, lines, subjectSign: sign, done: `${subject} (${path})` }
    },
    json: (changes) => ({
      changes: changes.map((change) => {
        const { path, subject, lines } = textOf(change)
        return { do: change.do, path, subject, details: lines.map(({ sign, text }) => `${sign} ${text}`) }
      }),
    }),
  }
}

export const wording = wordingOf<Change>(['+', '~'], (change) => ({ ...change, lines: linesOf(change) }))

function linesOf({ sign, body, differences }: Change): ChangeText['lines'] {
  const fields = differences ?? Object.entries(body).map(([field, after]) => ({ field, before: undefined, after }))
  const [policy] = fields.filter(({ field }) => field === 'policy')
  if (policy !== undefined) return lineDiff(policy)
  if (sign === '~') return fields.map((each) => ({ sign, text: changed(each) }))
  const off = differences?.filter(({ after }) => isEmpty(after)) ?? []
  const lines = fields.filter((each) => !off.includes(each)).map(({ field, after }) => `${field}: ${shown(after)}`)
  if (off.length > 0) lines.push(`off or empty: ${off.map(({ field }) => field).join(', ')}`)
  return lines.map((text) => ({ sign, text }))
}

function changed({ field, before, after }: Difference): string {
  return `${field}: ${before === undefined ? 'nothing' : shown(before)} becomes ${shown(after)}`
}

/** What Vault does not show is empty: a list, a text, a flag, a number. */
export function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === '' || value === false || value === 0) return true
  return typeof value === 'object' && Object.keys(value).length === 0
}

/** A certificate or key is shown by its digest: two of them look alike to people. */
function shown(value: unknown): string {
  if (typeof value === 'string') return value.includes('-----BEGIN ') ? digest(value) : printable(value)
  if (Array.isArray(value)) return `[${value.map(shown).join(', ')}]`
  if (typeof value !== 'object' || value === null) return String(value)
  const fields = Object.entries(value).map(([name, each]) => `${name}: ${shown(each)}`)
  return `{${fields.join(', ')}}`
}

function digest(pem: string): string {
  const kind = /-----BEGIN ([A-Z ]+)-----/.exec(pem)?.[1]?.toLowerCase() ?? 'text'
  return `${kind} (sha256 ${createHash('sha256').update(pem.trim()).digest('hex').slice(0, 12)})`
}

/** What Vault holds may have been written by anybody: no control characters to the terminal. */
function printable(text: string): string {
  return /^[\w./:*{}<>() @,-]+$/.test(text) ? text : JSON.stringify(text).replaceAll('\u007f', String.raw`\u007f`)
}

/** Of a policy: the lines that go and come; those that stay are left out. */
function lineDiff({ before, after }: Difference): ChangeText['lines'] {
  const linesIn = (text: unknown): string[] =>
    typeof text === 'string' ? text.split('\n').filter((line) => line.trim() !== '') : []
  const [old, wanted] = [linesIn(before), linesIn(after)]
  const gone = old.filter((line) => !wanted.includes(line)).map((line) => line.replaceAll(/\p{Cc}/gu, ' '))
  const come = wanted.filter((line) => !old.includes(line))
  return [...gone.map((text) => ({ sign: '-' as const, text })), ...come.map((text) => ({ sign: '+' as const, text }))]
}
