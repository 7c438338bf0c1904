/**
 * Owns the list of what Calico's programs ask of etcd and do not get, each with its reason and with why the program goes on.
 * Together with the table of profiles it accounts for every recorded request (test/data/calico-traces); docs/etcd.md shows it.
 */
import type { Access } from '../../agent/operator/etcd/grants.ts'
import { type Naming, resources } from '../../agent/operator/etcd/profile-table.ts'

export interface Withheld {
  readonly component: string
  /** Default: both. */
  readonly naming?: Naming
  /** Only with `--strict`. */
  readonly strict?: true
  /** As in a profile, with `{other-node}` beside `{node}`. Undefined: compaction, which has no key. */
  readonly keys: string | undefined
  readonly access: Access
  readonly because: string
  /** What goes on, or what has to be so that the program does not ask. */
  readonly instead: string
  /** A recorded situation of the component, in every version, in which that is so and nothing of this is asked. */
  readonly without?: string
}

const P = (resource: string): string => `${resources}${resource}`

const defaults = {
  component: 'calico-node',
  naming: 'node',
  access: 'write',
  because: 'one node would write for all; only the first start asks, while the object is absent or incomplete',
  instead: '`--defaults` makes it before; without it, -startup ends with 1',
  without: 'startup-operator-defaults',
} as const

const relaxed = {
  component: 'calico-node',
  naming: 'node',
  strict: true,
  access: 'write',
  because: 'with `--strict`: only a first start and an upgrade ask',
  instead: 'apply without `--strict` for the upgrade (docs/upgrade.md); without it, -startup ends with 1',
  without: 'startup-restart',
} as const

const compaction = {
  component: 'calico-kube-controllers',
  access: 'readwrite',
  because: 'compaction needs the role root',
  instead:
    'COMPACTION_PERIOD=0 and `--auto-compaction-retention`; without it, one denial a second is logged and the rest works',
  without: 'steady',
} as const

const initialization = {
  component: 'calicoctl-policy-editor',
  access: 'write',
  because: 'every `apply` tries to initialize the datastore; an administrator does',
  instead: 'calicoctl ignores the denial and writes the policy, if the datastore has been initialized (run)',
} as const

export const withheld: readonly Withheld[] = [
  { ...defaults, keys: P('felixconfigurations/default') },
  { ...defaults, keys: P('bgpconfigurations/default') },
  { ...defaults, keys: P('ippools/default-ipv4-ippool') },
  { ...defaults, keys: P('ippools/default-ipv6-ippool') },
  { ...relaxed, keys: P('clusterinformations/default') },
  { ...relaxed, keys: P('ipamconfigurations/default') },
  {
    component: 'calico-cni',
    naming: 'node',
    strict: true,
    keys: '/calico/ipam/v2/host/{other-node}/*',
    access: 'write',
    because: "with `--strict`: the affinity of a block is another node's",
    instead: 'DEL of a borrowed address releases it and succeeds; only the affinity stays (run)',
  },
  {
    component: 'calico-cni',
    keys: P('profiles/*'),
    access: 'readwrite',
    because: "only with an empty `policy.type` in the CNI configuration; Calico's manifest has `k8s`",
    instead: 'set `policy.type`; without it, ADD fails',
    without: 'add-first',
  },
  { ...compaction, keys: 'compact_rev_key' },
  { ...compaction, keys: undefined },
  { ...initialization, keys: P('tiers/*') },
  { ...initialization, keys: P('clusterinformations/default'), without: 'apply-delete' },
]
