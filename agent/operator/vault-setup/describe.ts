/** Owns how a change reads: to what it happens, and field by field what becomes of it. One source for plan, log and JSON. */
import { createHash } from 'node:crypto'
import type { ChangeText, Wording } from '../engine/bring-in-step.ts'
import { type Change, type Difference, isEmpty, pathOf } from './changes.ts'
import type { Resource } from './setup.ts'

type Words = Pick<ChangeText, 'sign' | 'subject' | 'lines'>

const kinds: Readonly<Record<Resource['kind'], string>> = {
  policy: 'policy',
  'pki-role': 'PKI role',
  'auth-config': 'configuration of auth',
  'login-role': 'login role',
  'role-id': 'role id of',
}

export function describeChange(change: Change): ChangeText {
  const words = wordsOf(change)
  const node = change.do === 'write' ? change.resource.node : undefined
  return { ...words, node, subjectSign: words.sign, done: `${words.subject} (${pathOf(change)})` }
}

export const wording: Wording<Change> = {
  describe: describeChange,
  signs: ['+', '~'],
  json: (changes) => ({ changes: changes.map(changeJson) }),
}

function changeJson(change: Change): object {
  const { subject, lines } = wordsOf(change)
  return { do: change.do, path: pathOf(change), subject, details: lines.map(({ sign, text }) => `${sign} ${text}`) }
}

function wordsOf(change: Change): Words {
  switch (change.do) {
    case 'enable': {
      const subject = change.table === 'auth' ? `auth method ${change.mount}/` : `secrets engine ${change.mount}/`
      return added(subject, change.body)
    }
    case 'tune': {
      const subject = change.table === 'auth' ? `auth method ${change.mount}/` : `secrets engine ${change.mount}/`
      return { sign: '~', subject, lines: change.differences.map(changedLine) }
    }
    case 'generate-root':
      return added(`root CA in ${change.mount}/`, change.body)
    case 'generate-key':
      return added(`key of the intermediate CA in ${change.mount}/`, change.body)
    case 'import-certificate':
      return added(`certificate of the intermediate CA in ${change.mount}/`, change.body)
    case 'write':
      return describeWrite(change)
  }
}

function describeWrite({ resource, isNew, differences }: Extract<Change, { do: 'write' }>): Words {
  const subject = `${kinds[resource.kind]} ${resource.name}`
  const sign = isNew ? '+' : '~'
  if (resource.kind === 'policy') {
    const [{ before, after } = { before: '', after: '' }] = differences
    const text = (value: unknown): string => (typeof value === 'string' ? value : '')
    return { sign, subject, lines: lineDiff(text(before), text(after)) }
  }
  if (!isNew) return { sign, subject, lines: differences.map(changedLine) }
  const off = differences.filter(({ after }) => isEmpty(after)).map(({ field }) => field)
  const lines = differences.filter(({ after }) => !isEmpty(after)).map(addedLine)
  return {
    sign,
    subject,
    lines: off.length === 0 ? lines : [...lines, { sign, text: `off or empty: ${off.join(', ')}` }],
  }
}

function added(subject: string, body: Readonly<Record<string, unknown>>): Words {
  const lines = Object.entries(body).map(([field, after]) => addedLine({ field, before: undefined, after }))
  return { sign: '+', subject, lines }
}

function addedLine({ field, after }: Difference): Words['lines'][number] {
  return { sign: '+', text: `${field}: ${shown(after)}` }
}

function changedLine({ field, before, after }: Difference): Words['lines'][number] {
  return { sign: '~', text: `${field}: ${before === undefined ? 'nothing' : shown(before)} becomes ${shown(after)}` }
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

/** The lines that go and come; those that stay are left out. */
function lineDiff(before: string, after: string): Words['lines'] {
  const [old, wanted] = [before, after].map((text) => text.split('\n').filter((line) => line.trim() !== ''))
  const gone = (old ?? []).filter((line) => wanted?.includes(line) !== true)
  const come = (wanted ?? []).filter((line) => old?.includes(line) !== true)
  return [
    ...gone.map((text) => ({ sign: '-' as const, text: printableLine(text) })),
    ...come.map((text) => ({ sign: '+' as const, text })),
  ]
}

function printableLine(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, ' ')
}
