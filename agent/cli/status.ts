/** Owns the command `status`: what is published and what the agent does about it, without any network but loopback. */
import { hostname } from 'node:os'
import { parseConfig } from '../config/config.ts'
import { isoTime, systemClock } from '../core/clock.ts'
import { formatDuration } from '../core/duration.ts'
import { runbookOf } from '../core/reason.ts'
import { type ReasonCode, reasons } from '../core/reason-catalog.ts'
import type { Happening } from '../sidecar/observe/timeline.ts'
import { statusJson } from '../sidecar/status/json.ts'
import { askAgent } from '../sidecar/status/live.ts'
import {
  type CaStatus,
  type CertificateStatus,
  nothingTold,
  readStatus,
  type Status,
  type TargetStatus,
} from '../sidecar/status/status.ts'
import { describeBudget, describeVault } from '../sidecar/status/words.ts'
import { isHeld } from '../sidecar/store/directory-lock.ts'
import type { StatusOptions } from './command-line.ts'
import { exitCodes } from './exit.ts'
import { type Paint, painter } from './terminal.ts'

const watchMs = 2000
/** Cursor home, and everything below it cleared. */
const clearScreen = '\u001b[H\u001b[J'

export async function status({ watch, output }: StatusOptions): Promise<number> {
  const config = parseConfig(process.env, hostname())
  const read = async (): Promise<Status> => {
    const told = await askAgent(config)
    const now = readStatus(config, told ?? nothingTold, systemClock.now())
    return told === undefined ? await withAgents(now) : now
  }
  const paint = painter(process.stdout.isTTY, process.env)
  const isScreen = watch && output === 'text' && process.stdout.isTTY
  const stop = stopSignal()
  for (;;) {
    const now = await read()
    if (stop.aborted) return exitCodes.ok
    const text = output === 'json' ? jsonText(now, watch) : statusText(now, paint)
    process.stdout.write(isScreen ? clearScreen + text : text)
    if (!watch) return exitCodeOf(now)
    await systemClock.sleep(watchMs, stop)
    if (stop.aborted) return exitCodes.ok
  }
}

/** If no agent answers on its port, the lock of each directory tells whether one runs. */
async function withAgents(found: Status): Promise<Status> {
  const targets = found.targets.map(async (target) => ({ ...target, hasAgent: await isHeld(target.directory) }))
  return { ...found, targets: await Promise.all(targets) }
}

/** Watched, it is one line a time: programs read it as it comes. */
function jsonText(now: Status, watch: boolean): string {
  return `${JSON.stringify(statusJson(now), null, watch ? 0 : 2)}\n`
}

/** Ctrl-C ends it as the shell expects, with 130. */
function stopSignal(): AbortSignal {
  const stop = new AbortController()
  process.once('SIGTERM', () => stop.abort())
  return stop.signal
}

function exitCodeOf({ targets }: Status): number {
  const works = targets.every(({ state }) => state === 'good' || state === 'late')
  return works ? exitCodes.ok : exitCodes.unavailable
}

const colors = { good: '+', late: '!', expired: '-', unreadable: '-', missing: '-' } as const

/** What a person wants to know first: whether it works, and whether it will go on. */
function standing({ state, failure, hasAgent }: TargetStatus): [string, '+' | '!' | '-'] {
  if (state !== 'good' && state !== 'late') return [state, colors[state]]
  const isRenewing = state === 'good' && failure === undefined && hasAgent !== false
  return isRenewing ? ['good', '+'] : ['good, but not renewing', '!']
}

/** Those of the timeline that are shown; `--output json` has all. */
const shownHappenings = 5

function statusText({ node, atMs, version, vault, vaultAddress, targets }: Status, paint: Paint): string {
  const agent = version === undefined ? 'no agent answers: from disk alone' : `agent ${version}`
  const seen = vault === undefined ? '' : `\n${describeVault(vault, vaultAddress, atMs)}`
  const head = `${paint(node, 'bold')} at ${iso(atMs)} (${agent})${seen}`
  return `${[head, ...targets.map((target) => targetText(target, atMs, paint))].join('\n\n')}\n`
}

function targetText(target: TargetStatus, nowMs: number, paint: Paint): string {
  const { component, directory, problem, hasAgent, certificate, ca, budget, failure, happenings } = target
  const rows: Row[] = []
  if (problem !== undefined) rows.push(['problem', problem])
  if (hasAgent === false) rows.push(['agent', 'none runs for this directory: nothing renews what is in it'])
  if (certificate !== undefined) rows.push(...certificateRows(certificate, nowMs))
  rows.push(...listed('CA set', ca.map(caText)))
  if (budget !== undefined) rows.push(['budget', `${describeBudget(budget)} in the last hour`])
  if (failure !== undefined) rows.push(...explained('failure', failure, `, ${iso(failure.atMs)}`))
  if (target.unproven !== undefined) rows.push(...explained('etcd', target.unproven))
  if (target.notTold !== undefined) rows.push(...explained('consumers', target.notTold))
  rows.push(...listed('happened', happenings.slice(0, shownHappenings).map(happeningText)))
  const lines = rows.map(([name, text]) => `  ${name.padEnd(9)} ${text}`)
  const [text, color] = standing(target)
  return [`${paint(text.padEnd(8), color)} ${paint(component, 'bold')}  ${directory}`, ...lines].join('\n')
}

type Row = [name: string, text: string]

/** Several lines of one name. */
function listed(name: string, texts: readonly string[]): Row[] {
  return texts.map((text, index) => [index === 0 ? name : '', text])
}

function certificateRows(certificate: CertificateStatus, nowMs: number): Row[] {
  const { commonName, serialNumber, chain, notBeforeMs, notAfterMs, renewAtMs } = certificate
  const runway = notAfterMs > nowMs ? `${formatDuration(notAfterMs - nowMs)}, until` : 'expired at'
  const renewal = renewAtMs > nowMs ? `in ${formatDuration(renewAtMs - nowMs)}, at` : 'due since'
  return [
    ['name', commonName],
    ['chain', [commonName, ...chain].join(' < ')],
    ['serial', serialNumber.toLowerCase()],
    ['age', `${formatDuration(nowMs - notBeforeMs)}, since ${iso(notBeforeMs)}`],
    ['runway', `${runway} ${iso(notAfterMs)}`],
    ['renewal', `${renewal} ${iso(renewAtMs)}`],
  ]
}

function caText({ name, notAfterMs, isInUse, verifiesEtcd }: CaStatus): string {
  const use = verifiesEtcd ? ', used to verify etcd' : isInUse ? '' : ', not in use'
  return `${name}, until ${iso(notAfterMs)}${use}`
}

function explained(
  name: string,
  { reason, detail }: { readonly reason: ReasonCode; readonly detail: string },
  rest = '',
): Row[] {
  const { summary, advice } = reasons[reason]
  return listed(name, [`${summary} (${reason})${rest}`, detail, `→ ${advice}`, `  ${runbookOf(reason)}`])
}

function happeningText({ atMs, what, reason, times }: Happening): string {
  return `${iso(atMs)} ${what}${reason === undefined ? '' : ` (${reason})`}${times === undefined ? '' : ` ${times} times`}`
}

function iso(ms: number): string {
  return `${isoTime(ms).slice(0, 19)}Z`
}
