/** Owns judging recorded requests (calico-traces.ts) by the table of profiles and the list of what is withheld. */
import { parseCalicoVersion } from '../../agent/config/calico-version.ts'
import { allows, type Grant } from '../../agent/operator/etcd/grants.ts'
import { builtInProfiles, type Naming, type Profile } from '../../agent/operator/etcd/profile-table.ts'
import { type Choice, grantsOf } from '../../agent/operator/etcd/profiles.ts'
import { neededFor, node, type Request, readTraces, type Trace } from './calico-traces.ts'
import { type Withheld, withheld } from './calico-withheld.ts'

const recorded = readTraces()
/** Felix on its own is the Felix that was recorded in calico-node. */
const felix = recorded
  .filter(({ program, situations }) => program === 'calico-node' && (situations[0] ?? '').startsWith('felix-'))
  .map((trace) => ({ ...trace, program: 'felix' }))

export const traces: readonly Trace[] = [...recorded, ...felix]
/** In order. */
export const versions: readonly string[] = [...new Set(recorded.map(({ version }) => version))]
/** The components that were recorded. */
export const programs: readonly string[] = [...new Set(traces.map(({ program }) => program))]
export const namings: readonly Naming[] = ['component', 'node']

export interface Ask {
  readonly trace: Trace
  readonly request: Request
}

/** What the program asked, in all its situations or in those with this beginning. */
export function asksOf(program: string, version?: string, situation = ''): readonly Ask[] {
  return traces
    .filter((trace) => trace.program === program && (version === undefined || trace.version === version))
    .filter(({ situations }) => situations.some((each) => each.startsWith(situation)))
    .flatMap((trace) => trace.requests.map((request) => ({ trace, request })))
}

export function titleOf({ trace, request }: Ask): string {
  return `${trace.version} ${trace.program} ${trace.situations[0]}: ${request.operation} ${request.recorded}`
}

export function numberOf(version: string): number {
  return parseCalicoVersion(version) ?? Number.NaN
}

export function profileOf(program: string): Profile {
  return builtInProfiles[program] ?? { scope: 'node', about: '', rows: [] }
}

/** Of the user of the recorded node. */
export function grantsFor(program: string, choice: Choice): readonly Grant[] {
  const { shared, ofNode } = grantsOf(profileOf(program), choice)
  return [...shared, ...ofNode(node)]
}

/** Compaction needs the role root. */
export function isGranted(grants: readonly Grant[], request: Request): boolean {
  const needed = neededFor(request)
  return needed === undefined ? request.operation === 'lease-grant' : allows(grants, needed)
}

/** Whether this is what the entry of the list is about. */
export function isAbout(entry: Withheld, { trace, request }: Ask, { naming, strict }: Choice): boolean {
  if (entry.component !== trace.program) return false
  if (entry.naming !== undefined && entry.naming !== naming) return false
  if (entry.strict === true && !strict) return false
  if (entry.keys === undefined) return request.operation === 'compact'
  const needed = neededFor(request)
  if (needed === undefined || (entry.access === 'write' && needed.access === 'read')) return false
  return entry.keys.endsWith('*')
    ? request.recorded.startsWith(entry.keys.slice(0, -1))
    : request.recorded === entry.keys
}

/** What is neither granted nor withheld for a reason. */
export function unaccounted(asks: readonly Ask[], program: string, choice: Choice): readonly string[] {
  const grants = grantsFor(program, choice)
  return asks
    .filter((ask) => !isGranted(grants, ask.request) && !withheld.some((entry) => isAbout(entry, ask, choice)))
    .map(titleOf)
}
