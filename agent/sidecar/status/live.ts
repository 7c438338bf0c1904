/**
 * Owns asking the running agent on this machine what it tells (json.ts); everything else is read from disk. It is apart from what
 * the agent itself loads.
 */
import type { Config } from '../../config/config.ts'
import { loopbackOf } from '../../config/observation.ts'
import { asObject, type JsonObject } from '../../core/json.ts'
import { isReasonCode, type ReasonCode } from '../../core/reason-catalog.ts'
import { operations } from '../../vault/vault-event.ts'
import type { VaultSight } from '../observe/present.ts'
import { type Happening, happeningKinds } from '../observe/timeline.ts'
import { nothingTold, type TargetTold, type Told } from './status.ts'

const timeoutMs = 1000
const maxBytes = 1024 * 1024

/** Undefined if no agent answers for the same directories: another one may have the port on a host network. */
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
  const [atMs, known] = [time(at), happeningKinds.find((each) => each === what)]
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
