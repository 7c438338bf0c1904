/** Owns how `status` reads on a terminal. */
import { isoTime } from '../core/clock.ts'
import { formatDuration } from '../core/duration.ts'
import { runbookOf } from '../core/reason.ts'
import { reasons } from '../core/reason-catalog.ts'
import type { Happening } from '../sidecar/observe/timeline.ts'
import type { Status, TargetStatus } from '../sidecar/status/status.ts'
import type { Paint } from './terminal.ts'

const colours = { good: '+', late: '!', expired: '-', missing: '-' } as const
/** Those of the time-line that are shown; `--output json` has all. */
const shownHappenings = 5

export function statusText({ node, atMs, version, vaultAddress, targets }: Status, paint: Paint): string {
  const agent = version === undefined ? 'no agent answers: from disk alone' : `agent ${version}`
  const vault = vaultAddress === undefined ? '' : `; Vault answers at ${vaultAddress}`
  const head = `${paint(node, 'bold')} at ${iso(atMs)} (${agent}${vault})`
  return `${[head, ...targets.map((target) => targetText(target, atMs, paint))].join('\n\n')}\n`
}

function targetText(target: TargetStatus, nowMs: number, paint: Paint): string {
  const { component, directory, state, problem, certificate, ca, failure, happenings } = target
  const rows: [string, string][] = []
  if (problem !== undefined) rows.push(['problem', problem])
  if (certificate !== undefined) {
    const { commonName, serialNumber, chain, notBeforeMs, notAfterMs, renewAtMs } = certificate
    rows.push(
      ['name', commonName],
      ['chain', [commonName, ...chain].join(' < ')],
      ['serial', serialNumber.toLowerCase()],
      ['age', `${formatDuration(nowMs - notBeforeMs)}, since ${iso(notBeforeMs)}`],
      [
        'runway',
        notAfterMs > nowMs
          ? `${formatDuration(notAfterMs - nowMs)}, until ${iso(notAfterMs)}`
          : `expired at ${iso(notAfterMs)}`,
      ],
      [
        'renewal',
        renewAtMs > nowMs
          ? `in ${formatDuration(renewAtMs - nowMs)}, at ${iso(renewAtMs)}`
          : `due since ${iso(renewAtMs)}`,
      ],
    )
  }
  for (const [index, each] of ca.entries()) {
    rows.push([
      index === 0 ? 'CA set' : '',
      `${each.name}, until ${iso(each.notAfterMs)}${each.isInUse ? '' : ', not in use'}`,
    ])
  }
  if (failure?.reason !== undefined) rows.push(...failureRows(failure, failure.reason))
  for (const [index, each] of happenings.slice(0, shownHappenings).entries()) {
    rows.push([index === 0 ? 'happened' : '', happeningText(each)])
  }
  const lines = rows.map(([name, text]) => `  ${name.padEnd(9)} ${text}`)
  return [`${paint(state.padEnd(8), colours[state])} ${paint(component, 'bold')}  ${directory}`, ...lines].join('\n')
}

function failureRows({ atMs, detail = '' }: Happening, reason: NonNullable<Happening['reason']>): [string, string][] {
  const { summary, advice } = reasons[reason]
  return [
    ['failure', `${summary} (${reason}), ${iso(atMs)}`],
    ['', detail],
    ['', `→ ${advice}`],
    ['', `  ${runbookOf(reason)}`],
  ]
}

function happeningText({ atMs, what, reason, times }: Happening): string {
  return [
    iso(atMs),
    what,
    ...(reason === undefined ? [] : [`(${reason})`]),
    ...(times === undefined ? [] : [`${times} times`]),
  ].join(' ')
}

function iso(ms: number): string {
  return `${isoTime(ms).slice(0, 19)}Z`
}
