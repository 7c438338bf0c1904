/** Owns the options of `provision`: which there are, which go together, and what is wrong with them. */
import { type Command, Option } from 'commander'
import { parseDuration } from '../core/duration.ts'
import { suggestName } from '../core/text.ts'
import { defaultBusyShare } from '../operator/etcd/pace.ts'
import { defaultComponents, type Naming, type Profile } from '../operator/etcd/profile-table.ts'
import { addEtcdOptions, type ConnectionSettings, type GivenConnection, readConnection } from './connection-options.ts'
import { UsageError } from './failure.ts'
import { listOf, nodesOf } from './node-options.ts'
import { addPlanOptions } from './plan-options.ts'

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
  readonly detailedExitcode: boolean
  readonly enableAuth: boolean
  /** Per-node naming without what is needed only at the first start and at an upgrade (profiles.ts). */
  readonly strict: boolean
  /** Make what a fresh datastore lacks (defaults.ts). */
  readonly defaults: boolean
  readonly output: 'text' | 'json'
  readonly connection: ConnectionSettings
  readonly graceMs: number
  readonly resyncMs: number
  /** The share of its time that etcd may be kept busy (pace.ts). */
  readonly busyShare: number
}

type Action = 'plan' | 'apply' | 'export' | 'watch'

/** As commander reads them. */
type Given = Partial<
  Pick<
    ProvisionOptions,
    'naming' | 'prune' | 'yes' | 'detailedExitcode' | 'enableAuth' | 'strict' | 'defaults' | 'output'
  > &
    Record<'components' | 'nodes' | 'nodesFile' | 'profiles' | 'grace' | 'resync' | 'maxBusy', string>
> &
  GivenConnection

export function addProvision(add: (action: Action) => Command, done: (options: ProvisionOptions) => void): void {
  for (const action of ['plan', 'apply', 'export', 'watch'] as const) {
    const command = add(action)
    const isPlanned = action === 'plan' || action === 'apply'
    command
      .option(
        '--components <names>',
        'whom to make users for, with commas (default: calico-node,calico-cni,calico-kube-controllers,calicoctl)',
      )
      .addOption(
        new Option(
          '--naming <naming>',
          "node: one user per component and node, whose writes reach only that node's own keys; component: one user per component",
        )
          .choices(['node', 'component'])
          .default('node'),
      )
    if (action !== 'watch') command.option('--nodes <names>', 'the nodes, with commas')
    command
      .option('--nodes-file <file>', 'the nodes, one name a line; - is standard input')
      .option('--profiles <file>', 'components of your own, in YAML or JSON (docs/etcd.md)')
      .option(
        '--strict',
        'without the keys of the whole cluster that calico-node writes only at its first start and at an upgrade (docs/upgrade.md)',
      )
    if (isPlanned) {
      command
        .option('--prune', 'also remove what provision has made and nobody wants any more')
        .option(
          '--defaults',
          'also make what a fresh datastore lacks: the pools of CALICO_IPV4POOL_CIDR and CALICO_IPV6POOL_CIDR and the default configurations; never over what exists',
        )
    }
    if (action === 'apply' || action === 'export') {
      command.option('--enable-auth', 'also switch authentication on, never locking the operator out')
    }
    if (action === 'watch') {
      command
        .option('--grace <duration>', "how long a node's users stay after the node is gone", '1h')
        .option('--resync <duration>', 'how often everything is looked at', '10m')
    }
    if (action === 'apply' || action === 'watch') {
      command.option(
        '--max-busy <percent>',
        'how much of its time etcd may be kept busy while others write to it (default: 0.5%); 100%: no bound',
      )
    }
    if (action !== 'watch') addEtcdOptions(command)
    addPlanOptions(command, action)
    command.action((raw) => done(readProvisionOptions(action, raw)))
  }
}

/** @throws UsageError */
function readProvisionOptions(action: Action, values: Given): ProvisionOptions {
  const watches = action === 'watch'
  if (watches && values.naming === 'component') throw new UsageError('provision watch is for --naming node')
  const { naming = 'node' } = values
  const nodes = nodesOf(values.nodes)
  const nodesFile = filled('nodes-file', values.nodesFile)
  if (naming === 'component' && (values.nodes ?? nodesFile) !== undefined) {
    throw new UsageError('--nodes and --nodes-file have no effect with --naming component')
  }
  if (naming === 'component' && values.strict === true)
    throw new UsageError('--strict has no effect with --naming component')
  return {
    action,
    components: values.components === undefined ? defaultComponents : listOf('components', values.components),
    naming,
    nodes,
    nodesFile,
    profilesFile: filled('profiles', values.profiles),
    prune: values.prune ?? false,
    yes: values.yes ?? false,
    detailedExitcode: values.detailedExitcode ?? false,
    enableAuth: values.enableAuth ?? false,
    strict: values.strict ?? false,
    defaults: values.defaults ?? false,
    output: values.output ?? 'text',
    connection: readConnection(values),
    graceMs: duration('grace', values.grace, '1h', 1000),
    resyncMs: duration('resync', values.resync, '10m', 1000),
    busyShare: values.maxBusy === undefined ? defaultBusyShare : share('max-busy', values.maxBusy),
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

/** @throws UsageError if the option is given and empty */
function filled(name: string, text: string | undefined): string | undefined {
  if (text === '') throw new UsageError(`--${name} is empty`)
  return text
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
