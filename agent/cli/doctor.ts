/** Owns the command `doctor`: looks at everything that the agent needs, changes nothing, says what is wrong and what to do. */
import { hostname } from 'node:os'
import { readCalicoVersions } from '../config/calico-version.ts'
import { readConfig } from '../config/config.ts'
import { readEndpoints } from '../config/etcd.ts'
import type { Environment } from '../config/reader.ts'
import { withVaultTools, withVaultToolsForAgent } from '../config/tool-variables.ts'
import { parseEnvironment } from '../config/unknown-variables.ts'
import { systemClock } from '../core/clock.ts'
import { ConfigError } from '../core/errors.ts'
import { doctorPageOf, runbookOf } from '../core/reason.ts'
import { Secret } from '../core/secret.ts'
import { plural } from '../core/text.ts'
import { type AccessOptions, openAccess } from '../operator/doctor/access.ts'
import { adviceOf, type Finding, type Status } from '../operator/doctor/check.ts'
import { createChecks } from '../operator/doctor/checks.ts'
import { examine, failedConfiguration } from '../operator/doctor/examine.ts'
import type { DoctorOptions } from './command-line.ts'
import { exitCodes } from './exit.ts'
import { type Paint, painter } from './terminal.ts'

/** An operator waits: what has not answered by then is as good as down. */
const requestMs = 5000
/** A check makes a few requests. */
const checkMs = 15_000

const print = (text: string): boolean => process.stdout.write(text)

export async function doctor(options: DoctorOptions): Promise<number> {
  // grpc-js names the TLS server by its address; Node says on standard error that RFC 6066 has no addresses there.
  process.noDeprecation = true
  const paint = painter(process.stdout.isTTY, process.env)
  const show = (finding: Finding): void => {
    if (options.output === 'text') print(`${findingText(finding, paint)}\n`)
  }
  const findings = await findAll(options, show)
  print(
    options.output === 'json'
      ? `${JSON.stringify(findingsJson(findings), null, 2)}\n`
      : `\n${summaryText(findings, paint)}\n`,
  )
  return exitCodeOf(findings)
}

async function findAll(
  { signs, consumer, connection }: DoctorOptions,
  found: (finding: Finding) => void,
): Promise<Finding[]> {
  const checks = createChecks(consumer)
  let read: DoctorConfig
  try {
    read = parseDoctorConfig(withVaultToolsForAgent({ ...process.env, ...connection }))
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const findings = failedConfiguration(checks, error.problems)
    for (const finding of findings) found(finding)
    return findings
  }
  const { vault, ...rest } = read.config
  const config = { ...rest, vault: vault && { ...vault, timeoutMs: Math.min(vault.timeoutMs, requestMs) } }
  const { VAULT_TOKEN: token } = withVaultTools({ ...process.env, ...connection })
  const operatorToken = token === undefined || token.trim() === '' ? undefined : new Secret(token.trim())
  const access = openAccess({ ...read, config, clock: systemClock, signs, operatorToken })
  try {
    return await examine({ checks, targets: config.targets, access, limitMs: checkMs, found })
  } finally {
    access.close()
  }
}

type DoctorConfig = Pick<AccessOptions, 'config' | 'endpoints' | 'versions'>

/** The agent's configuration, and what only the checks of etcd ask for. @throws ConfigError with every problem */
function parseDoctorConfig(env: Environment): DoctorConfig {
  return parseEnvironment(env, (reader) => ({
    config: readConfig(reader, hostname()),
    endpoints: reader.isSet('ETCD_ENDPOINTS') ? readEndpoints(reader) : [],
    versions: readCalicoVersions(reader),
  }))
}

const words: Readonly<Record<Status, string>> = { ok: 'ok', skipped: 'skipped', warning: 'WARNING', failure: 'FAILURE' }
const colors = { ok: '+', skipped: '~', warning: '!', failure: '-' } as const
const margin = ' '.repeat(11)

function findingText(finding: Finding, paint: Paint): string {
  const { status, saw, title, target } = finding
  const [first = '', ...rest] = saw.split('\n')
  const about = target === undefined ? title : `${title} (${target})`
  const lines = [`${paint(` ${words[status].padEnd(9)}`, colors[status])} ${paint(about, 'bold')}`, first, ...rest]
  const { advice, see } = help(finding)
  if (advice !== undefined) lines.push(`→ ${status === 'ok' ? advice : paint(advice, 'bold')}`)
  if (see !== undefined) lines.push(`  ${see}`)
  return lines.map((line, index) => (index === 0 ? line : `${margin}${line}`)).join('\n')
}

/** What to do, and where it is told at length: the runbook for a reason, or the page of the checks. */
function help(finding: Finding): { advice: string | undefined; see: string | undefined } {
  const { status, code, check } = finding
  const isGood = status === 'ok' || status === 'skipped'
  const see = code === undefined ? doctorPageOf(check) : runbookOf(code)
  return { advice: adviceOf(finding), see: isGood ? undefined : see }
}

export function summaryText(findings: readonly Finding[], paint: Paint): string {
  const count = (status: Status): number => findings.filter((each) => each.status === status).length
  const parts = [`${count('ok')} ok`]
  for (const status of ['warning', 'failure', 'skipped'] as const) {
    if (count(status) > 0) parts.push(status === 'skipped' ? `${count(status)} skipped` : plural(count(status), status))
  }
  return paint(parts.join(', '), colors[worst(findings)])
}

function findingsJson(findings: readonly Finding[]): object {
  const checks = findings.map((finding) => {
    const { check, title, target, status, saw, code } = finding
    const { advice, see } = help(finding)
    return { check, title, target, status, saw: saw.split('\n'), reason: code, advice, see }
  })
  return { status: worst(findings), checks }
}

function worst(findings: readonly Finding[]): Exclude<Status, 'skipped'> {
  const has = (status: Status): boolean => findings.some((each) => each.status === status)
  return has('failure') ? 'failure' : has('warning') ? 'warning' : 'ok'
}

function exitCodeOf(findings: readonly Finding[]): number {
  if (findings.some(({ check, status }) => check === 'configuration' && status === 'failure')) return exitCodes.config
  return { ok: exitCodes.ok, warning: exitCodes.warnings, failure: exitCodes.unavailable }[worst(findings)]
}
