/** Owns asking the running agent on this machine what it tells (json.ts); everything else is read from disk. */
import type { Config } from '../../config/config.ts'
import { loopbackOf } from '../../config/observation.ts'
import { asObject } from '../../core/json.ts'
import { type ReasonCode, reasons } from '../../core/reason-catalog.ts'
import { operations } from '../../vault/vault-event.ts'
import type { Happening } from '../observe/timeline.ts'
import type { VaultSight } from '../observe/vault-sight.ts'
import { nothingOfTarget, type Told } from './status.ts'

const timeoutMs = 1000
const maxBytes = 1024 * 1024
const whats = ['found', 'published', 'renewal-failed', 'look-failed', 'unproven', 'recovered'] as const

type Fields = Readonly<Record<string, unknown>>

/** Undefined if no agent answers for the same directories: another one may have the port on a host network. */
export async function askAgent({ listen, targets }: Pick<Config, 'listen' | 'targets'>): Promise<Told | undefined> {
  if (listen === undefined) return undefined
  let body: unknown
  try {
    const answer = await fetch(`http://${loopbackOf(listen)}/status`, {
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
    })
    const json = await answer.text()
    if (answer.status !== 200 || json.length > maxBytes) return undefined
    body = JSON.parse(json)
  } catch {
    // Whatever it is: it is not the agent, or not any more.
    return undefined
  }
  const { version, vaultAddress, vault, targets: told } = fields(body)
  const found = new Map<string, ReturnType<Told['target']>>()
  for (const each of list(told)) {
    const target = targets.find(
      ({ component, directory }) => each['component'] === component && each['directory'] === directory,
    )
    if (target !== undefined) found.set(target.component, readTarget(each))
  }
  if (found.size === 0) return undefined
  return {
    version: text(version),
    vaultAddress: text(vaultAddress),
    vault: vault === undefined ? undefined : readVault(fields(vault)),
    target: (component) => found.get(component) ?? nothingOfTarget,
  }
}

function readVault({ answered, failure }: Fields): VaultSight {
  const atMs = time(fields(answered)['at'])
  const operation = operations.find((known) => known === fields(answered)['operation'])
  return {
    answered: atMs === undefined || operation === undefined ? undefined : { atMs, operation },
    failure: readFailure(failure),
  }
}

function readTarget(target: Fields): ReturnType<Told['target']> {
  const { serialNumber, renewAt } = fields(target['certificate'])
  const [serial, renewAtMs] = [text(serialNumber), time(renewAt)]
  const { limit, spent } = fields(target['budget'])
  return {
    certificate: serial === undefined || renewAtMs === undefined ? undefined : { serialNumber: serial, renewAtMs },
    failure: readFailure(target['failure']),
    unproven: readReason(target['unproven']),
    budget: typeof limit === 'number' && typeof spent === 'number' ? { limit, spent } : undefined,
    notTold: readFailure(target['notTold']),
    happenings: list(target['happenings']).flatMap(readHappening),
  }
}

function readReason(value: unknown): { reason: ReasonCode; detail: string } | undefined {
  const { reason, detail } = fields(value)
  return isReason(reason) ? { reason, detail: text(detail) ?? '' } : undefined
}

/** With the times of whatever kind of failure it is. */
function readFailure(value: unknown) {
  const [explained, { at, firstAt, retryAt }] = [readReason(value), fields(value)]
  const atMs = time(at) ?? 0
  return explained && { ...explained, atMs, firstAtMs: time(firstAt) ?? atMs, retryAtMs: time(retryAt) ?? atMs }
}

function readHappening({ at, what, reason, detail, serialNumber, times, firstAt }: Fields): Happening[] {
  const [atMs, known, firstAtMs] = [time(at), whats.find((each) => each === what), time(firstAt)]
  if (atMs === undefined || known === undefined) return []
  return [
    {
      atMs,
      what: known,
      ...(isReason(reason) ? { reason } : {}),
      ...(typeof detail === 'string' ? { detail } : {}),
      ...(typeof serialNumber === 'string' ? { serialNumber } : {}),
      ...(typeof times === 'number' ? { times } : {}),
      ...(firstAtMs === undefined ? {} : { firstAtMs }),
    },
  ]
}

function isReason(value: unknown): value is ReasonCode {
  return typeof value === 'string' && Object.hasOwn(reasons, value)
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

function time(value: unknown): number | undefined {
  const ms = typeof value === 'string' ? Date.parse(value) : Number.NaN
  return Number.isNaN(ms) ? undefined : ms
}

function list(value: unknown): Fields[] {
  return Array.isArray(value) ? value.map(fields) : []
}

function fields(value: unknown): Fields {
  return asObject(value) ?? {}
}
