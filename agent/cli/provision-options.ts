/** Owns the options of `provision`: which there are, which go together, and what is wrong with them. */
import type { Command } from 'commander'
import { parseDuration } from '../core/duration.ts'
import { suggestName } from '../core/text.ts'
import { defaultBusyShare } from '../operator/etcd/pace.ts'
import { defaultComponents, type Naming, type Profile } from '../operator/etcd/profile-table.ts'
import { type ConnectionSettings, etcdOptions, type GivenConnection, readConnection } from './connection-options.ts'
import { UsageError } from './exit.ts'
import {
  addOptions,
  choice,
  filled,
  listOf,
  nodesFileOption,
  nodesOf,
  noPlanOptions,
  type OptionRow,
  only,
  type PlanOptions,
  planOptions,
} from './options.ts'

export interface ProvisionOptions extends PlanOptions {
  readonly action: Action
  readonly components: readonly string[]
  readonly naming: Naming
  readonly nodes: readonly string[]
  /** `-` is standard input. */
  readonly nodesFile: string | undefined
  readonly profilesFile: string | undefined
  readonly prune: boolean
  readonly enableAuth: boolean
  /** Per-node naming without what is needed only at the first start and at an upgrade (profiles.ts). */
  readonly strict: boolean
  /** Make what a fresh datastore lacks (defaults.ts). */
  readonly defaults: boolean
  readonly connection: ConnectionSettings
  readonly graceMs: number
  readonly resyncMs: number
  /** The share of its time that etcd may be kept busy (pace.ts). */
  readonly busyShare: number
}

type Action = 'plan' | 'apply' | 'export' | 'watch'

/** As commander reads them. */
type Given = Partial<Omit<ProvisionOptions, 'action'>> &
  GivenConnection & {
    readonly profiles?: string
    readonly grace?: number
    readonly resync?: number
    readonly maxBusy?: number
  }

const notGiven = {
  ...noPlanOptions,
  components: defaultComponents,
  naming: 'node',
  nodes: [],
  nodesFile: undefined,
  prune: false,
  enableAuth: false,
  strict: false,
  defaults: false,
} as const

export function addProvision(add: (action: Action) => Command, done: (options: ProvisionOptions) => void): void {
  for (const action of ['plan', 'apply', 'export', 'watch'] as const) {
    addOptions(add(action), rowsOf(action)).action((given: Given) => done(readProvisionOptions(action, given)))
  }
}

function rowsOf(action: Action): readonly OptionRow[] {
  const isPlanned = action === 'plan' || action === 'apply'
  return [
    ['--components <names>', `whom to make users for, with commas (default: ${defaultComponents.join(',')})`, listOf],
    choice(
      '--naming <naming>',
      "node: one user per component and node, whose writes reach only that node's own keys; component: one user per component",
      ['node', 'component'],
    ),
    ...only(action !== 'watch', ['--nodes <names>', 'the nodes, with commas', nodesOf]),
    nodesFileOption,
    ['--profiles <file>', 'components of your own, in YAML or JSON (docs/etcd.md)', filled],
    [
      '--strict',
      'without the keys of the whole cluster that calico-node writes only at its first start and at an upgrade (docs/upgrade.md)',
    ],
    ...only(
      isPlanned,
      ['--prune', 'also remove what provision has made and nobody wants any more'],
      [
        '--defaults',
        'also make what a fresh datastore lacks: the pools of CALICO_IPV4POOL_CIDR and CALICO_IPV6POOL_CIDR and the default configurations; never over what exists',
      ],
    ),
    ...only(action === 'apply' || action === 'export', [
      '--enable-auth',
      'also switch authentication on, never locking the operator out',
    ]),
    ...only(
      action === 'watch',
      ['--grace <duration>', "how long a node's users stay after the node is gone", duration, '1h'],
      ['--resync <duration>', 'how often everything is looked at', duration, '10m'],
    ),
    ...only(action === 'apply' || action === 'watch', [
      '--max-busy <percent>',
      'how much of its time etcd may be kept busy while others write to it (default: 0.5%); 100%: no bound',
      share,
    ]),
    ...only(action !== 'watch', ...etcdOptions),
    ...(isPlanned ? planOptions(action) : []),
  ]
}

/** @throws UsageError for options that do not go together */
function readProvisionOptions(action: Action, given: Given): ProvisionOptions {
  if (given.naming === 'component') {
    if (action === 'watch') throw new UsageError('provision watch is for --naming node')
    if ((given.nodes ?? given.nodesFile) !== undefined) {
      throw new UsageError('--nodes and --nodes-file have no effect with --naming component')
    }
    if (given.strict === true) throw new UsageError('--strict has no effect with --naming component')
  }
  return {
    ...notGiven,
    ...given,
    action,
    profilesFile: given.profiles,
    connection: readConnection(given),
    graceMs: given.grace ?? 3_600_000,
    resyncMs: given.resync ?? 600_000,
    busyShare: given.maxBusy ?? defaultBusyShare,
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

/** @throws UsageError if the nodes are missing whose users are wanted */
export function checkNodes(
  { naming, nodes, nodesFile, components }: ProvisionOptions,
  profiles: Readonly<Record<string, Pick<Profile, 'scope'>>>,
): void {
  if (naming === 'component' || nodes.length > 0 || nodesFile !== undefined) return
  const perNode = components.filter((component) => profiles[component]?.scope === 'node')
  if (perNode.length === 0) return
  throw new UsageError(
    `--nodes or --nodes-file is missing: ${perNode.join(', ')} ${perNode.length === 1 ? 'has' : 'have'} a user for each node (--naming component: one for all)`,
  )
}

/** A month at most: a longer one is a mistake of units. */
function duration(text: string, flag: string): number {
  const ms = parseDuration(text)
  if (ms === undefined || ms < 1000 || ms > 31 * 86_400_000) {
    throw new UsageError(`${flag} is a duration from 1s to 744h, not ${JSON.stringify(text)}`)
  }
  return ms
}

/** `5` and `5%` are both 0.05. Below a tenth of a percent an apply would not end. */
function share(text: string, flag: string): number {
  const percent = /^\d+(\.\d+)?%?$/.test(text) ? Number.parseFloat(text) : Number.NaN
  if (!(percent >= 0.1 && percent <= 100)) {
    throw new UsageError(`${flag} is a share of etcd's time from 0.1% to 100%, not ${JSON.stringify(text)}`)
  }
  return percent / 100
}
