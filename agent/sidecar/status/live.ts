/** Owns asking the running agent on this machine what has happened; everything else is read from disk. */
import type { Config } from '../../config/config.ts'
import { loopbackOf } from '../../config/listen.ts'
import { asObject } from '../../core/json.ts'
import { type ReasonCode, reasons } from '../../core/reason-catalog.ts'
import type { Happening } from '../observe/timeline.ts'

export interface Live {
  readonly version: string | undefined
  readonly vaultAddress: string | undefined
  readonly of: (component: string) => readonly Happening[]
}

const timeoutMs = 1000
const maxBytes = 1024 * 1024
const whats = ['found', 'published', 'renewal-failed', 'look-failed', 'unproven', 'recovered'] as const

type Fields = Readonly<Record<string, unknown>>

/** Undefined if no agent answers for the same directories: another one may have the port on a host network. */
export async function askAgent({ listen, targets }: Pick<Config, 'listen' | 'targets'>): Promise<Live | undefined> {
  if (listen === undefined) return undefined
  let body: unknown
  try {
    const answer = await fetch(`http://${loopbackOf(listen)}/status`, {
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
    })
    const text = await answer.text()
    if (answer.status !== 200 || text.length > maxBytes) return undefined
    body = JSON.parse(text)
  } catch {
    // Whatever it is: it is not the agent, or not any more.
    return undefined
  }
  const { version, vaultAddress, targets: told } = fields(body)
  const found = new Map<string, readonly Happening[]>()
  for (const each of Array.isArray(told) ? told.map(fields) : []) {
    const target = targets.find(
      ({ component, directory }) => each['component'] === component && each['directory'] === directory,
    )
    if (target !== undefined) found.set(target.component, readHappenings(each['happenings']))
  }
  if (found.size === 0) return undefined
  const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)
  return { version: text(version), vaultAddress: text(vaultAddress), of: (component) => found.get(component) ?? [] }
}

function readHappenings(value: unknown): Happening[] {
  if (!Array.isArray(value)) return []
  return value.map(fields).flatMap((each) => {
    const [atMs, what] = [time(each['at']), whats.find((known) => known === each['what'])]
    if (atMs === undefined || what === undefined) return []
    const { reason, detail, serialNumber, times } = each
    return {
      atMs,
      what,
      ...(typeof reason === 'string' && Object.hasOwn(reasons, reason) ? { reason: reason as ReasonCode } : {}),
      ...(typeof detail === 'string' ? { detail } : {}),
      ...(typeof serialNumber === 'string' ? { serialNumber } : {}),
      ...(typeof times === 'number' ? { times } : {}),
      ...optionalTimes(each),
    }
  })
}

function optionalTimes(each: Fields): Pick<Happening, 'firstAtMs' | 'retryAtMs' | 'renewAtMs'> {
  const [firstAtMs, retryAtMs, renewAtMs] = [time(each['firstAt']), time(each['retryAt']), time(each['renewAt'])]
  return {
    ...(firstAtMs === undefined ? {} : { firstAtMs }),
    ...(retryAtMs === undefined ? {} : { retryAtMs }),
    ...(renewAtMs === undefined ? {} : { renewAtMs }),
  }
}

function time(value: unknown): number | undefined {
  const ms = typeof value === 'string' ? Date.parse(value) : Number.NaN
  return Number.isNaN(ms) ? undefined : ms
}

function fields(value: unknown): Fields {
  return asObject(value) ?? {}
}
