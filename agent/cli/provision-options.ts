/** Owns the arguments of `provision`: which there are, which go together, and what is wrong with them. */
import { parseDuration } from '../core/duration.ts'
import { suggestName } from '../core/text.ts'
import { checkNodeNames } from '../operator/etcd/nodes.ts'
import { defaultBusyShare } from '../operator/etcd/pace.ts'
import { defaultComponents, type Naming } from '../operator/etcd/profile-table.ts'
import { choice, filled, parseAction, parseArguments, refuseMeaningless } from './arguments.ts'
import { UsageError } from './failure.ts'

export interface ProvisionOptions {
  readonly action: Action
  readonly components: readonly string[]
  readonly naming: Naming
  readonly nodes: readonly string[]
  /** `-` is standard input. */
  readonly nodesFile: string | undefined
  readonly profilesFile: string | undefined
  readonly prune: boolean
  readonly yes: boolean
  readonly enableAuth: boolean
  /** Per-node naming without what is needed only at the first start and at an upgrade (profiles.ts). */
  readonly strict: boolean
  /** Make what a fresh datastore lacks (defaults.ts). */
  readonly defaults: boolean
  readonly output: 'text' | 'json'
  readonly graceMs: number
  readonly resyncMs: number
  /** The share of its time that etcd may be kept busy (pace.ts). */
  readonly busyShare: number
}

const actions = ['plan', 'apply', 'export', 'watch'] as const
export type Action = (typeof actions)[number]

const flags = {
  components: { type: 'string' },
  naming: { type: 'string' },
  nodes: { type: 'string' },
  'nodes-file': { type: 'string' },
  profiles: { type: 'string' },
  prune: { type: 'boolean' },
  yes: { type: 'boolean' },
  'enable-auth': { type: 'boolean' },
  strict: { type: 'boolean' },
  defaults: { type: 'boolean' },
  output: { type: 'string' },
  grace: { type: 'string' },
  resync: { type: 'string' },
  'max-busy': { type: 'string' },
} as const

const only: Readonly<Record<string, readonly Action[]>> = {
  prune: ['plan', 'apply'],
  yes: ['apply'],
  'enable-auth': ['apply', 'export'],
  defaults: ['plan', 'apply'],
  output: ['plan', 'apply'],
  nodes: ['plan', 'apply', 'export'],
  grace: ['watch'],
  resync: ['watch'],
  'max-busy': ['apply', 'watch'],
}

/** @throws UsageError */
export function parseProvisionOptions(argv: readonly string[]): ProvisionOptions {
  const { values, positionals } = parseArguments('provision', argv, flags)
  const action = parseAction('provision', positionals, actions)
  refuseMeaningless('provision', action, values, only)
  const watches = action === 'watch'
  if (watches && values.naming === 'component') throw new UsageError('provision watch is for --naming node')
  const naming = watches ? 'node' : choice('naming', values.naming, ['component', 'node'])
  const given = checkNodeNames(list('nodes', values.nodes))
  if (given.problems[0] !== undefined) throw new UsageError(`--nodes: ${given.problems.join('; ')}`)
  const nodesFile = filled('nodes-file', values['nodes-file'])
  if (naming === 'component' && (values.nodes ?? nodesFile) !== undefined) {
    throw new UsageError('--nodes and --nodes-file need --naming node')
  }
  if (naming === 'component' && values.strict === true) throw new UsageError('--strict needs --naming node')
  if (!watches && naming === 'node' && values.nodes === undefined && nodesFile === undefined) {
    throw new UsageError('--naming node needs --nodes or --nodes-file')
  }
  return {
    action,
    components: values.components === undefined ? defaultComponents : list('components', values.components),
    naming,
    nodes: given.names,
    nodesFile,
    profilesFile: filled('profiles', values.profiles),
    prune: values.prune ?? false,
    yes: values.yes ?? false,
    enableAuth: values['enable-auth'] ?? false,
    strict: values.strict ?? false,
    defaults: values.defaults ?? false,
    output: choice('output', values.output, ['text', 'json']),
    graceMs: duration('grace', values.grace, '1h', 1000),
    resyncMs: duration('resync', values.resync, '10m', 1000),
    busyShare: values['max-busy'] === undefined ? defaultBusyShare : share('max-busy', values['max-busy']),
  }
}

/** @throws UsageError when a component has no profile */
export function checkComponents(components: readonly string[], known: readonly string[]): void {
  for (const component of components) {
    if (known.includes(component)) continue
    const suggestion = suggestName(component, known)
    const hint = suggestion === undefined ? `there are ${known.join(', ')}` : `did you mean ${suggestion}?`
    throw new UsageError(`there is no component ${JSON.stringify(component)}; ${hint}`)
  }
}

function list(name: string, text: string | undefined): string[] {
  if (text === undefined) return []
  const items = text.split(',').map((each) => each.trim())
  if (items.includes('')) throw new UsageError(`--${name} has an empty name in ${JSON.stringify(text)}`)
  return [...new Set(items)]
}

/** A month at most: a longer one is a mistake of units. */
function duration(name: string, text: string | undefined, preset: string, leastMs: number): number {
  const ms = parseDuration(text ?? preset)
  if (ms === undefined || ms < leastMs || ms > 31 * 86_400_000) {
    throw new UsageError(`--${name} is a duration from ${leastMs / 1000}s to 744h, not ${JSON.stringify(text)}`)
  }
  return ms
}

/** `5` and `5%` are both 0.05. Below a tenth of a percent an apply would not end. */
function share(name: string, text: string): number {
  const percent = /^\d+(\.\d+)?%?$/.test(text) ? Number.parseFloat(text) : Number.NaN
  if (!(percent >= 0.1 && percent <= 100)) {
    throw new UsageError(`--${name} is a share of etcd's time from 0.1% to 100%, not ${JSON.stringify(text)}`)
  }
  return percent / 100
}
