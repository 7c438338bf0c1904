/** Owns how `rotate-ca status` reads: which step, the issuers, and what each agent has and needs. */
import { isoTime } from '../core/clock.ts'
import { oneLine } from '../core/text.ts'
import { nameOf } from '../operator/ca-rotation/describe.ts'
import { findStaleConsumers } from '../operator/ca-rotation/needs.ts'
import {
  type AgentsState,
  type Issuer,
  type Rotation,
  type Step,
  steps,
  type VaultState,
} from '../operator/ca-rotation/state.ts'
import type { CaUse } from '../pki/ca-set.ts'
import type { Paint } from './terminal.ts'

interface Seen {
  readonly vault: VaultState
  readonly agents: AgentsState
  readonly rotation: Rotation
}

export function statusText({ vault, agents, rotation }: Seen, paint: Paint, nowMs: number): string {
  const { step, plan } = rotation
  const order = Object.keys(steps) as Step[]
  const at = order.indexOf(step)
  const lines = order.map((each, index) => {
    const mark = index < at || step === 'done' ? paint('done', '+') : index === at ? paint('now ', '!') : 'then'
    return `  ${mark} ${each.padEnd(7)} ${steps[each]}`
  })
  const issuers = vault.issuers.map((issuer) => `  ${issuerText(issuer, vault)}`)
  const told = agents.agents.flatMap(({ node, where, targets }) =>
    targets.map(({ component, ca }) => {
      const sets = ca.map((use) => useText(use, vault.issuers, nowMs)).join(', ')
      return `  ${node ?? where} ${component}: ${sets === '' ? 'nothing is published' : sets}`
    }),
  )
  const silent = [...agents.silent, ...agents.without].map(({ name, why }) => `  ${paint(name, '-')}: ${why}`)
  return `${[
    paint(`CA rotation in ${vault.mount}/`, 'bold'),
    ...lines,
    paint('Issuers', 'bold'),
    ...issuers,
    paint('Agents', 'bold'),
    ...told,
    ...silent,
    ...(plan.waitsFor === undefined ? [] : [`${paint('Waits for', '!')} ${plan.waitsFor}.`]),
    ...plan.refusals.map((text) => `${paint('Refused:', '-')} ${text}.`),
    ...plan.notes.map((text) => `${paint('Note:', '!')} ${text}.`),
  ].join('\n')}\n`
}

function issuerText(issuer: Issuer, { defaultId }: VaultState): string {
  const signs = issuer.id === defaultId ? ', signs' : ''
  const ends = isoTime(issuer.notAfterMs).slice(0, 10)
  return `${nameOf(issuer)}  ${issuer.fingerprint}  ${oneLine(issuer.subject)}, until ${ends}${signs}`
}

function useText({ fingerprint, subject, inUseUntilMs }: CaUse, issuers: readonly Issuer[], nowMs: number): string {
  const found = issuers.find((issuer) => issuer.fingerprint === fingerprint)
  const name = found === undefined ? `${oneLine(subject)} (${fingerprint})` : nameOf(found)
  return inUseUntilMs > nowMs ? `${name} until ${isoTime(inUseUntilMs)}` : name
}

export function statusJson({ vault, agents, rotation: { step, plan } }: Seen): string {
  const { refusals, notes, waitsFor = null } = plan
  const restarts = findStaleConsumers(agents.agents)
  const value = { step, stepIs: steps[step], waitsFor, refusals, notes, restarts, vault, agents }
  return `${JSON.stringify(value, null, 2)}\n`
}
