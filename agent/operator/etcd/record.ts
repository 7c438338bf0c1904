/**
 * Owns what `provision` remembers in etcd itself (docs/adr/0007): the names that it has made, written before they are made,
 * so that a kill at any call leaves nothing without an owner; and the receipt of the last time when all was in step.
 */
import { createHash, randomUUID } from 'node:crypto'
import { asObject, parseJson } from '../../core/json.ts'
import type { EtcdAuthApi, StoredKey } from './api.ts'
import { type DesiredState, rolePrefix } from './desired.ts'
import { rangeId } from './grants.ts'
import type { Made } from './plan.ts'

/** Outside of every range of a profile: only a user with the role root gets here. */
export const recordPrefix = '/calico-vault-agent/provision/'
const madePrefix = `${recordPrefix}made/`
const receiptKey = `${recordPrefix}in-step`

/** Far below etcd's limit of 1.5 MiB a request, with names as long as they can be. */
const namesPerKey = 2000
/** More keys than this are written together into fewer. */
const tidyAbove = 16

export interface Record {
  readonly made: Made
  readonly keys: readonly StoredKey[]
}

export async function readRecord(api: EtcdAuthApi): Promise<Record> {
  const keys = await api.list(madePrefix)
  const made = { users: new Set<string>(), roles: new Set<string>() }
  for (const { value } of keys) {
    for (const line of value.split('\n')) {
      if (line.startsWith('user ')) made.users.add(line.slice(5))
      // By name too: whatever is written here, no role of somebody else's is ever ours.
      else if (line.startsWith(`role ${rolePrefix}`)) made.roles.add(line.slice(5))
    }
  }
  return { made, keys }
}

/** `user NAME` or `role NAME`: a line of the record. */
export function recordLine(kind: 'user' | 'role', name: string): string {
  return `${kind} ${name}`
}

/** The key of a single line, for scripts that cannot make random ones. */
export function recordKey(line: string): string {
  return `${madePrefix}${line.replace(' ', '/')}`
}

export async function remember(api: EtcdAuthApi, lines: readonly string[]): Promise<void> {
  for (const value of inKeys(lines)) await api.put(`${madePrefix}${randomUUID()}`, value)
}

/** Takes out lines whose user or role is gone, and writes many small keys into few. Somebody else's change wins. */
export async function tidy(api: EtcdAuthApi, { keys }: Record, deletedLines: ReadonlySet<string>): Promise<void> {
  const linesOf = ({ value }: StoredKey): string[] => value.split('\n')
  const small = keys.filter((key) => linesOf(key).length < namesPerKey / 2)
  const touched = keys.filter(
    (key) => (small.length > tidyAbove && small.includes(key)) || linesOf(key).some((line) => deletedLines.has(line)),
  )
  // A transaction of etcd may have 128 operations.
  for (let from = 0; from < touched.length; from += 32) {
    const old = touched.slice(from, from + 32)
    const lines = new Set(old.flatMap(linesOf).filter((line) => line !== '' && !deletedLines.has(line)))
    const put = inKeys([...lines]).map((value) => ({ key: `${madePrefix}${randomUUID()}`, value }))
    await api.replace(old, put)
  }
}

function inKeys(lines: readonly string[]): string[] {
  const values: string[] = []
  for (let from = 0; from < lines.length; from += namesPerKey)
    values.push(lines.slice(from, from + namesPerKey).join('\n'))
  return values
}

/** Says that everything was in step at one revision of etcd's auth store. It holds as long as that is the revision. */
export interface Receipt {
  readonly revision: string
  /** Of the desired state and the options, see `digestOf`. */
  readonly digest: string
  readonly notes: readonly string[]
}

export async function readReceipt(api: EtcdAuthApi): Promise<Receipt | undefined> {
  const stored = await api.get(receiptKey)
  const { revision, digest, notes } = asObject(parseJson(stored?.value ?? '')) ?? {}
  if (typeof revision !== 'string' || typeof digest !== 'string' || !Array.isArray(notes)) return undefined
  return { revision, digest, notes: notes.filter((note) => typeof note === 'string') }
}

export async function writeReceipt(api: EtcdAuthApi, receipt: Receipt): Promise<void> {
  const value = JSON.stringify(receipt)
  // With very many notes it is not worth it: the next plan reads everything, as without a receipt.
  if (value.length < 256 * 1024) await api.put(receiptKey, value)
}

export function digestOf({ roles, users }: DesiredState, prune: boolean): string {
  const hash = createHash('sha256').update(`1 ${prune}\n`)
  for (const role of [...roles.keys()].toSorted()) {
    const grants = roles.get(role) ?? []
    hash.update(`role ${role} ${grants.map((grant) => `${grant.access} ${rangeId(grant)}`).join(' ')}\n`)
  }
  for (const user of [...users.keys()].toSorted()) {
    hash.update(`user ${user} ${users.get(user)?.roles.join(' ') ?? ''}\n`)
  }
  return hash.digest('base64')
}
