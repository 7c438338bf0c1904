/** Owns how a change reads: to whom it happens, what happens, and why. One source for plan, log and JSON. */
import { describeRange } from './grants.ts'
import type { Change } from './plan.ts'

export interface ChangeText {
  readonly sign: '+' | '~' | '-'
  /** `role NAME` or `user NAME`. */
  readonly subject: string
  readonly what: string
  readonly why: string
}

export function describeChange(change: Change): ChangeText {
  switch (change.do) {
    case 'add-role':
      return line('+', `role ${change.role}`, 'add the role', 'a wanted user needs it')
    case 'grant': {
      const { role, grant, before } = change
      const keys = describeRange(grant)
      return before === undefined
        ? line('+', `role ${role}`, `grant ${grant.access} ${keys}`, 'its profile needs it')
        : line('~', `role ${role}`, `${before} becomes ${grant.access} ${keys}`, 'its profile needs just that')
    }
    case 'add-user':
      return line('+', `user ${change.user}`, 'add the user, without a password', 'it is wanted')
    case 'assign-role':
      return line('+', `user ${change.user}`, `give the role ${change.role}`, 'the user is to have it')
    case 'unassign-role':
      return line('-', `user ${change.user}`, `take away the role ${change.role}`, 'the user is not to have it')
    case 'revoke':
      return line(
        '-',
        `role ${change.role}`,
        `revoke ${change.grant.access} ${describeRange(change.grant)}`,
        'its profile does not need it',
      )
    case 'delete-user':
      return line('-', `user ${change.user}`, 'delete the user', 'provision made it, and it is not wanted any more')
    case 'delete-role':
      return line('-', `role ${change.role}`, 'delete the role', 'provision made it, and it is not wanted any more')
  }
}

function line(sign: ChangeText['sign'], subject: string, what: string, why: string): ChangeText {
  return { sign, subject, what, why }
}
