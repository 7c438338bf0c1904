/** Owns how issuers, agents and changes of a CA rotation read. One source for plan, progress, status and JSON. */
import { isoTime } from '../../core/clock.ts'
import { formatDuration } from '../../core/duration.ts'
import { oneLine } from '../../core/text.ts'
import type { ChangeText, Wording } from '../engine/bring-in-step.ts'
import type { AgentView, Change, Issuer } from './state.ts'

/** By which it can be named in a command. */
export function nameOf({ id, name }: Issuer): string {
  return name === '' ? id : name
}

export function titleOf(issuer: Issuer): string {
  return `${nameOf(issuer)} (${oneLine(issuer.subject)}, ${issuer.fingerprint})`
}

export function whoOf({ where, node, targets }: AgentView): string {
  const components = targets.map(({ component }) => component).join(', ')
  return `${node ?? where}${components === '' ? '' : ` (${components})`}`
}

const mostListed = 5

export function listed(names: readonly string[]): string {
  const more = names.length - mostListed
  return more > 0 ? `${names.slice(0, mostListed).join('; ')}; and ${more} more` : names.join('; ')
}

export const wording: Wording<Change> = {
  describe: (change) => {
    const words = wordsOf(change)
    return { ...words, subjectSign: words.sign, done: `${words.subject} (${pathOf(change)})` }
  },
  signs: ['+', '~', '-'],
  json: (changes) => ({
    changes: changes.map((change) => {
      const { subject, lines } = wordsOf(change)
      const details = lines.map(({ sign, text }) => `${sign} ${text}`)
      return { do: change.do, path: pathOf(change), subject, details }
    }),
  }),
}

/** Where a change is written. */
export function pathOf(change: Change): string {
  switch (change.do) {
    case 'make':
      return `${change.mount}/root/rotate/internal`
    case 'switch':
      return `${change.mount}/config/issuers`
    case 'retire':
      return `${change.mount}/issuer/${change.issuer.id}`
  }
}

function wordsOf(change: Change): Pick<ChangeText, 'sign' | 'subject' | 'lines'> {
  switch (change.do) {
    case 'make': {
      const { commonName, ttlSeconds, keyType } = change.root
      const lines = [
        `common name: ${oneLine(commonName)}`,
        `lifetime: ${formatDuration(ttlSeconds * 1000)}`,
        `key: ${keyType}, made and kept in Vault`,
        'it signs nothing yet',
      ]
      return { sign: '+', subject: `root CA ${change.name} in ${change.mount}/`, lines: lines.map(plus) }
    }
    case 'switch': {
      const before = change.from === undefined ? 'nothing' : titleOf(change.from)
      const text = `${before} becomes ${titleOf(change.to)}`
      return { sign: '~', subject: `default issuer of ${change.mount}/`, lines: [{ sign: '~', text }] }
    }
    case 'retire': {
      const { issuer, mount } = change
      const text = `${titleOf(issuer)}, which ends on ${isoTime(issuer.notAfterMs).slice(0, 10)}`
      return { sign: '-', subject: `issuer ${nameOf(issuer)} of ${mount}/`, lines: [{ sign: '-', text }] }
    }
  }
}

function plus(text: string): ChangeText['lines'][number] {
  return { sign: '+', text }
}
