/**
 * Owns the status as JSON, as `/status` and `status --output json` say it, and what the command `status` reads of it again if an agent
 * runs on this machine. Times are ISO 8601 in UTC, durations are seconds.
 */
import type { Config } from '../../config/config.ts'
import { loopbackOf } from '../../config/observation.ts'
import { isoTime as iso } from '../../core/clock.ts'
import { asObject, type JsonObject } from '../../core/json.ts'
import { isReasonCode, type ReasonCode } from '../../core/reason-catalog.ts'
import { operations } from '../../vault/vault-event.ts'
import { explain } from '../observe/health.ts'
import type { VaultSight } from '../observe/present.ts'
import { type Happening, happened } from '../observe/timeline.ts'
import { nothingTold, type Status, type TargetStatus, type TargetTold, type Told } from './status.ts'

export function statusJson({ node, atMs, version, vaultAddress, vault, targets }: Status): object {
  return {
    node,
    at: iso(atMs),
    version,
    vaultAddress,
    vault: vault && vaultJson(vault),
    targets: targets.map((target) => targetJson(target, atMs)),
  }
}

function vaultJson({ answered, failure }: VaultSight): object {
  return {
    answered: answered && { at: iso(answered.atMs), operation: answered.operation },
    failure: failure && { at: iso(failure.atMs), firstAt: iso(failure.firstAtMs), ...explain(failure.reason) },
  }
}

function targetJson(status: TargetStatus, nowMs: number): object {
  const { certificate, ca, failure, unproven, notTold, happenings, ...target } = status
  return {
    ...target,
    certificate: certificate && {
      commonName: certificate.commonName,
      serialNumber: certificate.serialNumber,
      issuer: certificate.issuer,
      chain: certificate.chain,
      notBefore: iso(certificate.notBeforeMs),
      notAfter: iso(certificate.notAfterMs),
      renewAt: iso(certificate.renewAtMs),
      ageSeconds: Math.floor((nowMs - certificate.notBeforeMs) / 1000),
      runwaySeconds: Math.floor((certificate.notAfterMs - nowMs) / 1000),
    },
    ca: ca.map(({ notAfterMs, ...each }) => ({ ...each, notAfter: iso(notAfterMs) })),
    failure: failure && {
      at: iso(failure.atMs),
      firstAt: iso(failure.firstAtMs),
      ...explain(failure.reason),
      detail: failure.detail,
      retryAt: iso(failure.retryAtMs),
    },
    unproven: unproven && { ...explain(unproven.reason), detail: unproven.detail },
    notTold: notTold && { ...explain(notTold.reason), detail: notTold.detail, retryAt: iso(notTold.retryAtMs) },
    happenings: happenings.map(({ atMs, firstAtMs, reason, ...rest }) => ({
      at: iso(atMs),
      firstAt: firstAtMs && iso(firstAtMs),
      ...rest,
      ...(reason && explain(reason)),
    })),
  }
}

const timeoutMs = 1000
const maxBytes = 1024 * 1024

/** Asks the running agent on this machine. Undefined if none answers for the same directories: another one may have the port on a host network. */
export async function askAgent({ listen, targets }: Pick<Config, 'listen' | 'targets'>): Promise<Told | undefined> {
  if (listen === undefined) return undefined
  const url = `http://${loopbackOf(listen)}/status`
  let body: unknown
  try {
    const answer = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(timeoutMs) })
    const json = await answer.text()
    if (answer.status !== 200 || json.length > maxBytes) return undefined
    body = JSON.parse(json)
  } catch {
    // Whatever it is: it is not the agent, or not any more.
    return undefined
  }
  return readTold(fields(body), targets)
}

/** Whatever cannot be understood is left out: the agent may be of another version. */
function readTold({ version, vaultAddress, vault, targets }: JsonObject, own: Config['targets']): Told | undefined {
  const found = new Map<string, TargetTold>()
  for (const { component, directory } of own) {
    const told = list(targets).findLast((each) => each['component'] === component && each['directory'] === directory)
    if (told !== undefined) found.set(component, readTarget(told))
  }
  if (found.size === 0) return undefined
  return {
    version: text(version),
    vaultAddress: text(vaultAddress),
    vault: vault === undefined ? undefined : readVault(fields(vault)),
    target: (component) => found.get(component) ?? nothingTold.target(component),
  }
}

function readVault({ answered, failure }: JsonObject): VaultSight {
  const { at, operation } = fields(answered)
  const atMs = time(at)
  const known = operations.find((each) => each === operation)
  return {
    answered: atMs === undefined || known === undefined ? undefined : { atMs, operation: known },
    failure: readFailure(failure),
  }
}

function readTarget({ certificate, failure, unproven, budget, notTold, happenings }: JsonObject): TargetTold {
  const { serialNumber, renewAt } = fields(certificate)
  const [serial, renewAtMs] = [text(serialNumber), time(renewAt)]
  const [limit, spent] = [number(fields(budget)['limit']), number(fields(budget)['spent'])]
  return {
    certificate: serial === undefined || renewAtMs === undefined ? undefined : { serialNumber: serial, renewAtMs },
    failure: readFailure(failure),
    unproven: readReason(unproven),
    budget: limit === undefined || spent === undefined ? undefined : { limit, spent },
    notTold: readFailure(notTold),
    happenings: list(happenings).flatMap(readHappening),
  }
}

function readReason(value: unknown): { reason: ReasonCode; detail: string } | undefined {
  const { reason, detail } = fields(value)
  return isReasonCode(reason) ? { reason, detail: text(detail) ?? '' } : undefined
}

/** With the times of whatever kind of failure it is. */
function readFailure(value: unknown) {
  const [explained, { at, firstAt, retryAt }] = [readReason(value), fields(value)]
  const atMs = time(at) ?? 0
  return explained && { ...explained, atMs, firstAtMs: time(firstAt) ?? atMs, retryAtMs: time(retryAt) ?? atMs }
}

function readHappening({ at, what, reason, detail, serialNumber, times, firstAt }: JsonObject): Happening[] {
  const [atMs, known] = [time(at), happened.find((each) => each === what)]
  if (atMs === undefined || known === undefined) return []
  return [
    {
      atMs,
      what: known,
      reason: isReasonCode(reason) ? reason : undefined,
      detail: text(detail),
      serialNumber: text(serialNumber),
      times: number(times),
      firstAtMs: time(firstAt),
    },
  ]
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

function number(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined
}

function time(value: unknown): number | undefined {
  const ms = typeof value === 'string' ? Date.parse(value) : Number.NaN
  return Number.isNaN(ms) ? undefined : ms
}

function list(value: unknown): JsonObject[] {
  return Array.isArray(value) ? value.map(fields) : []
}

function fields(value: unknown): JsonObject {
  return asObject(value) ?? {}
}
