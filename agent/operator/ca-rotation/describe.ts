/** Owns how issuers, agents and changes of a CA rotation read. One source for plan, progress, status and JSON. */
import { isoTime } from '../../core/clock.ts'
import { formatDuration } from '../../core/duration.ts'
import { oneLine } from '../../core/text.ts'
import { type WriteText, wordingOf } from '../vault-setup/changes.ts'
import type { AgentView, Change, Issuer } from './state.ts'

/** The name that a command takes for it. */
export function nameOf({ id, name }: Issuer): string {
  return name === '' ? id : name
}

/** Whether a command may mean it by this name or id. */
export function isCalled({ id, name }: Pick<Issuer, 'id' | 'name'>, called: string): boolean {
  return called !== '' && (id === called || name === called)
}

export function titleOf(issuer: Issuer): string {
  return `${nameOf(issuer)} (${oneLine(issuer.subject)}, ${issuer.fingerprint})`
}

export function whoOf({ where, node, targets }: AgentView): string {
  const components = targets.map(({ component }) => component).join(', ')
  return `${node ?? where}${components === '' ? '' : ` (${components})`}`
}

export function dayOf(ms: number): string {
  return isoTime(ms).slice(0, 10)
}

const mostListed = 5

export function listed(names: readonly string[]): string {
  const more = names.length - mostListed
  return more > 0 ? `${names.slice(0, mostListed).join('; ')}; and ${more} more` : names.join('; ')
}

export const wording = wordingOf<Change>(['+', '~', '-'], (change) => ({ path: pathOf(change), ...textOf(change) }))

/** The path that a change is written to. */
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

function textOf(change: Change): Omit<WriteText, 'path'> {
  const { mount } = change
  switch (change.do) {
    case 'make': {
      const { commonName, ttlSeconds, keyType } = change.root
      const lines = [
        `common name: ${oneLine(commonName)}`,
        `lifetime: ${formatDuration(ttlSeconds * 1000)}`,
        `key: ${keyType}, made and kept in Vault`,
        'it signs nothing yet',
      ]
      const subject = `root CA ${change.name} in ${mount}/`
      return { sign: '+', subject, lines: lines.map((text) => ({ sign: '+', text })) }
    }
    case 'switch': {
      const before = change.from === undefined ? 'nothing' : titleOf(change.from)
      const text = `${before} becomes ${titleOf(change.to)}`
      return { sign: '~', subject: `default issuer of ${mount}/`, lines: [{ sign: '~', text }] }
    }
    case 'retire': {
      const { issuer } = change
      const text = `${titleOf(issuer)}, which ends on ${dayOf(issuer.notAfterMs)}`
      return { sign: '-', subject: `issuer ${nameOf(issuer)} of ${mount}/`, lines: [{ sign: '-', text }] }
    }
  }
}
