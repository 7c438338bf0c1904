/** Owns reading the recorded requests of Calico's programs (test/data/calico-traces), and what etcd wants for each of them. */
import { readdirSync, readFileSync } from 'node:fs'
import { type Access, exactKey, type Grant, type KeyRange, prefixRange } from '../../agent/operator/etcd/grants.ts'
import { resources } from '../../agent/operator/etcd/profile-table.ts'

const directory = new URL('../data/calico-traces/', import.meta.url)

/** The names that stand for the placeholders; programs that run once in a cluster see both nodes. */
const names: Readonly<Record<string, string>> = {
  '{node}': 'node1',
  '{other-node}': 'node2',
  '{workload}': 'web-0',
  '{namespace}': 'shop',
  '{serviceaccount}': 'default',
  '{block}': '10-0-0-0-26',
  '{handle}': 'k8s-pod-network.0a1b',
}

export const node = 'node1'

export type Operation =
  | 'range'
  | 'watch'
  | 'put'
  | 'delete'
  | 'txn-compare'
  | 'txn-range'
  | 'txn-put'
  | 'txn-delete'
  | 'compact'
  | 'lease-grant'

export interface Request {
  readonly operation: Operation
  /** Empty for what has no key. */
  readonly range: KeyRange
  /** As recorded, with its placeholders. */
  readonly recorded: string
  /** The previous value is asked for too. */
  readonly previous: boolean
  /** False: only in the branch of a transaction that was not taken. */
  readonly ran: boolean
}

export interface Trace {
  readonly version: string
  /** A component of the table of profiles. */
  readonly program: string
  /** All situations in which just this was asked. */
  readonly situations: readonly string[]
  readonly requests: readonly Request[]
}

interface Recorded {
  readonly program: string
  readonly situation: string
  readonly also?: readonly string[]
  readonly asks: Readonly<Partial<Record<Operation, readonly string[]>>>
}

/** In the order of the versions. */
export function readTraces(): readonly Trace[] {
  const files = readdirSync(directory).filter((name) => name.endsWith('.json'))
  return files.toSorted().flatMap((file) => {
    const traces = JSON.parse(readFileSync(new URL(file, directory), 'utf8')) as readonly Recorded[]
    return traces.map(({ program, situation, also = [], asks }) => ({
      version: file.replace(/\.json$/, ''),
      program,
      situations: [situation, ...also],
      requests: Object.entries(asks).flatMap(([operation, keys]) =>
        keys.map((text) => parseRequest(operation as Operation, text)),
      ),
    }))
  })
}

function parseRequest(operation: Operation, text: string): Request {
  const match = /^(P )?(.*?)(\*)?( \+prev)?( -ran)?$/.exec(text)
  if (match === null) throw new Error(`not a recorded request: ${text}`)
  const [, resource, recordedKey = '', star, previous, notRan] = match
  const recorded = `${resource === undefined ? '' : resources}${recordedKey}`
  const key = recorded.replace(/\{[^}]*\}/g, (hole) => names[hole] ?? missing(hole))
  return {
    operation,
    range: star === undefined ? exactKey(key) : prefixRange(key),
    recorded: `${recorded}${star ?? ''}`,
    previous: previous !== undefined,
    ran: notRan === undefined,
  }
}

function missing(hole: string): never {
  throw new Error(`no name for ${hole}`)
}

const accessFor: Readonly<Record<Operation, Access | undefined>> = {
  range: 'read',
  watch: 'read',
  put: 'write',
  delete: 'write',
  'txn-compare': 'read',
  'txn-range': 'read',
  'txn-put': 'write',
  'txn-delete': 'write',
  // Both have no key. Compaction needs the role root (etcd 3.4.42, 3.5.28, 3.6.9 and newer), a lease any user.
  compact: undefined,
  'lease-grant': undefined,
}

/**
 * What etcd wants for a request; undefined where it is not about keys.
 * @see https://github.com/etcd-io/etcd/blob/v3.6.14/server/etcdserver/apply/apply_auth.go
 */
export function neededFor({ operation, range, previous }: Request): Grant | undefined {
  const access = accessFor[operation]
  if (access === undefined) return undefined
  return { ...range, access: previous && access === 'write' ? 'readwrite' : access }
}
