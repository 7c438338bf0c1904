/** Owns how a change of etcd reads: to whom it happens, what happens, and why. One source for plan, log and JSON. */
import type { ChangeText, Sign, Wording } from '../engine/bring-in-step.ts'
import { type DefaultObject, keyOf } from './defaults.ts'
import { describeRange } from './grants.ts'
import type { Change } from './plan.ts'
import type { Examination } from './reconcile.ts'

export interface EtcdChangeText extends ChangeText {
  readonly what: string
  readonly why: string
}

export function describeChange(change: Change): EtcdChangeText {
  const subject = 'user' in change ? `user ${change.user}` : `role ${change.role}`
  // Names per node are COMPONENT:NODE.
  const [, node] = /:(.+)$/.exec(subject) ?? []
  const [sign, what, why] = wordsOf(change)
  const subjectSign = change.do.startsWith('add-') ? '+' : change.do.startsWith('delete-') ? '-' : '~'
  // That a role comes or goes is said by the sign of the subject.
  const isSaid = change.do === 'add-role' || change.do === 'delete-role'
  const lines = isSaid ? [] : [{ sign, text: sign === '+' ? what : `${what} (${why})` }]
  return { sign, subject, node, subjectSign, what, why, lines, done: `${subject}: ${what} (${why})` }
}

function wordsOf(change: Change): [sign: Sign, what: string, why: string] {
  switch (change.do) {
    case 'add-role':
      return ['+', 'add the role', 'a wanted user needs it']
    case 'grant': {
      const { grant, before } = change
      const keys = describeRange(grant)
      return before === undefined
        ? ['+', `grant ${grant.access} ${keys}`, 'its profile needs it']
        : ['~', `${before} becomes ${grant.access} ${keys}`, 'its profile needs exactly that']
    }
    case 'add-user':
      return ['+', 'add the user, without a password', 'it is wanted']
    case 'assign-role':
      return ['+', `give the role ${change.role}`, 'the user needs it']
    case 'unassign-role':
      return ['-', `take away the role ${change.role}`, 'the user does not need it']
    case 'revoke':
      return ['-', `revoke ${change.grant.access} ${describeRange(change.grant)}`, 'its profile does not need it']
    case 'delete-user':
      return ['-', 'delete the user', 'provision made it, and it is no longer wanted']
    case 'delete-role':
      return ['-', 'delete the role', 'provision made it, and it is no longer wanted']
  }
}

/** What the commands make: changes, and what a fresh datastore lacks. */
export type Made = Change | DefaultObject

export const wording: Wording<Made> = {
  describe: (each) => (isChange(each) ? describeChange(each) : describeDefault(each)),
  signs: ['+', '~', '-'],
  json: (all, when) => {
    const defaults = all.flatMap((each) => (isChange(each) ? [] : [each]))
    return {
      changes: all.filter(isChange).map(changeJson),
      defaults: defaults.map((object) => (when === 'made' ? keyOf(object) : { key: keyOf(object), spec: object.spec })),
    }
  },
}

function isChange(each: Made): each is Change {
  return 'do' in each
}

interface Found extends Pick<Examination, 'plan' | 'authEnabled'> {
  /** Besides the plan's own notes. */
  readonly warnings: readonly string[]
  /** What a fresh datastore lacks and is to get. */
  readonly defaults: readonly DefaultObject[]
}

/** What `plan` and `apply` show of it. */
export function viewOf({ plan, authEnabled, warnings, defaults }: Found) {
  const phases: (readonly Made[])[] = [defaults, ...plan.phases].filter(({ length }) => length > 0)
  const off = 'authentication is off: etcd enforces none of this yet (provision apply --enable-auth)'
  return {
    plan: { ...plan, phases, notes: [...plan.notes, ...warnings] },
    remarks: authEnabled ? [] : [off],
    facts: { authEnabled },
  }
}

function describeDefault(object: DefaultObject): ChangeText {
  const { kind, spec } = object
  const subject = `key ${keyOf(object)}: make the ${kind} ${JSON.stringify(spec)} (calico-node cannot)`
  return { sign: '+', subject, subjectSign: '+', lines: [], done: subject }
}

function changeJson(change: Change): object {
  const { do: what, ...rest } = change
  const { why } = describeChange(change)
  return 'grant' in change
    ? { do: what, role: change.role, access: change.grant.access, keys: describeRange(change.grant), why }
    : { do: what, ...rest, why }
}
