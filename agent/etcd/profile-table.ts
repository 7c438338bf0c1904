/**
 * Owns the table of what each component needs in etcd: one row a key or range, with the Calico versions that need it and
 * where that is known from. docs/etcd.md's tables are made of it.
 */
import type { Access } from './grants.ts'

/** `node`: runs on every node, and has a user for each of them in per-node naming. `cluster`: one user in both namings. */
export type Scope = 'node' | 'cluster'

/** `component`: one user a component. `node`: one user a component and node, and rows with `{node}` reach only its own keys. */
export type Naming = 'component' | 'node'

export interface Row {
  readonly access: Access
  /** Ends with `/*`: the prefix before the star. Otherwise one exact key. May hold `{node}`, in per-node naming only. */
  readonly keys: string
  /** Only in this naming; default: both. */
  readonly naming?: Naming
  /** First and last minor version of Calico that needs the row, such as 3.29. */
  readonly since?: string
  readonly until?: string
  readonly source: string
}

export interface Profile {
  readonly scope: Scope
  readonly about: string
  readonly rows: readonly Row[]
}

const docs = 'documented: tigera/docs, calico-etcdv3-paths'
const ran = (what: string): string => `run on v3.32.1: ${what}`
const code = (where: string): string => `code: ${where}`

const r = (keys: string, source: string, more: Partial<Row> = {}): Row => ({ access: 'read', keys, source, ...more })
const rw = (keys: string, source: string, more: Partial<Row> = {}): Row => ({
  access: 'readwrite',
  keys,
  source,
  ...more,
})

/** Where Calico's own resources are. */
const resources = '/calico/resources/v3/projectcalico.org/'
const P = (resource: string): string => `${resources}${resource}`

const byComponent = { naming: 'component' } as const
const byNode = { naming: 'node' } as const

/**
 * Whoever initializes the datastore or creates a Node writes these (a transaction with a Put, so the right is needed also
 * where they exist). As exact keys: nothing else may create a tier. Their names changed with the versions.
 */
const tiers: readonly Row[] = [
  rw(P('tiers/default'), ran('-startup and kube-controllers end without it'), { since: '3.29' }),
  rw(P('tiers/adminnetworkpolicy'), code('lib/names/policy.go'), { since: '3.29', until: '3.31' }),
  rw(P('tiers/baselineadminnetworkpolicy'), code('lib/names/policy.go'), { since: '3.30', until: '3.31' }),
  rw(P('tiers/kube-admin'), ran('-startup and kube-controllers end without it'), { since: '3.31' }),
  rw(P('tiers/kube-baseline'), ran('-startup and kube-controllers end without it'), { since: '3.31' }),
]

/** What IPAM shares between the nodes: blocks, handles, configuration. No prefix of theirs names a node. */
const sharedIpam = (source: string): readonly Row[] => [
  rw('/calico/ipam/v2/assignment/*', source, byNode),
  rw('/calico/ipam/v2/handle/*', source, byNode),
  rw('/calico/ipam/v2/config', source, byNode),
]

export const builtInProfiles: Readonly<Record<string, Profile>> = {
  'calico-node': {
    scope: 'node',
    about: 'calico/node: start-up, Felix, confd, tunnel addresses',
    rows: [
      r(`${resources}*`, docs),
      rw('/calico/felix/v1/*', docs, byComponent),
      rw('/calico/felix/v2/*', docs, byComponent),
      rw('/calico/ipam/v2/*', docs, byComponent),
      rw(P('felixconfigurations/*'), docs, byComponent),
      rw(P('nodes/*'), docs, byComponent),
      rw(P('workloadendpoints/*'), docs, byComponent),
      rw(P('clusterinformations/*'), docs, byComponent),
      rw(P('ippools/*'), docs, byComponent),
      ...tiers,
      rw(P('bgpconfigurations/*'), ran('written by -startup while "default" is absent'), {
        ...byComponent,
        since: '3.32',
      }),
      rw(P('ipamconfigurations/*'), code('ensureDefaultIPAMConfigExists'), { ...byComponent, since: '3.33' }),
      rw(P('caliconodestatuses/*'), code('node/pkg/status/reporter.go'), { until: '3.29' }),
      r('/calico/ipam/v2/*', ran('narrow role'), byNode),
      r('/calico/felix/*', ran('narrow role'), byNode),
      rw(P('nodes/{node}'), ran('narrow role; a prefix would match node11 too'), byNode),
      rw(P('felixconfigurations/node.{node}'), ran('narrow role'), byNode),
      rw('/calico/felix/v1/host/{node}/*', ran('narrow role'), byNode),
      rw('/calico/felix/v2/no-region/host/{node}/*', ran('narrow role'), byNode),
      rw('/calico/ipam/v2/host/{node}/*', ran('narrow role'), byNode),
      ...sharedIpam(ran('narrow role')),
    ],
  },
  'calico-cni': {
    scope: 'node',
    about: 'the CNI plugin, with the copy of its certificate on the host',
    rows: [
      rw('/calico/ipam/v2/*', docs, byComponent),
      rw(P('workloadendpoints/*'), `${docs}; the namespace comes before the node, so it cannot be scoped`),
      r(P('ippools/*'), docs),
      r(P('clusterinformations/*'), docs),
      r(P('nodes/*'), docs),
      r(P('ipreservations/*'), ran('every ADD with an automatic address fails without it')),
      r(P('blockaffinities/*'), ran('an ADD with an explicit address hangs without it'), { since: '3.31' }),
      r(P('ipamconfigurations/*'), code('ipam_plugin.go, error tolerated'), { since: '3.33' }),
      r('/calico/ipam/v2/*', code('lib/ipam, as documented for the component'), byNode),
      rw('/calico/ipam/v2/host/{node}/*', code('lib/ipam, as in the narrow role of calico-node'), byNode),
      ...sharedIpam(code('lib/ipam, as in the narrow role of calico-node')),
    ],
  },
  'calico-kube-controllers': {
    scope: 'cluster',
    about: 'kube-controllers, with COMPACTION_PERIOD=0 (compaction needs the root role)',
    rows: [
      r(`${resources}*`, docs),
      rw('/calico/ipam/v2/*', docs),
      rw(P('profiles/*'), docs),
      rw(P('networkpolicies/*'), docs),
      rw(P('nodes/*'), docs),
      rw(P('clusterinformations/*'), docs),
      rw(P('hostendpoints/*'), docs),
      rw(P('kubecontrollersconfigurations/*'), docs),
      ...tiers,
      rw(P('workloadendpoints/*'), code('pod_controller.go'), { until: '3.27' }),
      rw(P('globalnetworkpolicies/*'), code('policy_name_migrator.go'), { since: '3.32' }),
      rw(P('stagednetworkpolicies/*'), code('policy_name_migrator.go'), { since: '3.32' }),
      rw(P('stagedglobalnetworkpolicies/*'), code('policy_name_migrator.go'), { since: '3.32' }),
    ],
  },
  calicoctl: {
    scope: 'cluster',
    about: 'calicoctl with full access, for administrators',
    rows: [rw(`${resources}*`, docs), rw('/calico/ipam/v2/*', docs)],
  },
  'calicoctl-read-only': {
    scope: 'cluster',
    about: 'calicoctl, reading only',
    rows: [r(`${resources}*`, docs), r('/calico/ipam/v2/*', docs)],
  },
  'calicoctl-policy-editor': {
    scope: 'cluster',
    about: 'calicoctl for policies; the datastore must have been initialized before',
    rows: [
      r(`${resources}*`, docs),
      r('/calico/ipam/v2/*', docs),
      rw(P('globalnetworkpolicies/*'), docs),
      rw(P('globalnetworksets/*'), docs),
      rw(P('networkpolicies/*'), docs),
      rw(P('networksets/*'), docs),
      rw(P('profiles/*'), docs),
    ],
  },
  felix: {
    scope: 'node',
    about: 'Felix on its own, without calico/node (OpenStack, hosts)',
    rows: [
      r(`${resources}*`, docs),
      rw('/calico/felix/v1/*', docs, byComponent),
      rw('/calico/felix/v2/*', docs, byComponent),
      r('/calico/ipam/v2/*', ran('never in sync without it')),
      rw(P('nodes/*'), code('felix/daemon/daemon.go: WireGuard keys'), byComponent),
      r('/calico/felix/*', code('as in the narrow role of calico-node'), byNode),
      rw(P('nodes/{node}'), code('felix/daemon/daemon.go: WireGuard keys'), byNode),
      rw('/calico/felix/v1/host/{node}/*', code('as in the narrow role of calico-node'), byNode),
      rw('/calico/felix/v2/no-region/host/{node}/*', code('as in the narrow role of calico-node'), byNode),
    ],
  },
  'calico-neutron': {
    scope: 'cluster',
    about: "OpenStack: networking-calico's Neutron driver",
    rows: [
      rw(`${resources}*`, docs),
      rw('/calico/dhcp/v1/*', docs),
      rw('/calico/dhcp/v2/*', docs),
      rw('/calico/compaction/v1/*', docs),
      rw('/calico/openstack/v1/*', docs),
      rw('/calico/openstack/v2/*', docs),
      r('/calico/felix/v1/*', docs),
      r('/calico/felix/v2/*', docs),
    ],
  },
  'calico-dhcp-agent': {
    scope: 'node',
    about: "OpenStack: networking-calico's DHCP agent",
    rows: [r(`${resources}*`, docs), r('/calico/dhcp/v1/*', docs), r('/calico/dhcp/v2/*', docs)],
  },
  'kube-apiserver': {
    scope: 'cluster',
    about: 'kube-apiserver on the same etcd, with --etcd-compaction-interval=0 (compaction needs the root role)',
    rows: [
      rw('/registry/*', 'documented: tigera/docs, etcd-rbac for Kubernetes'),
      rw('compact_rev_key', code('apiserver/pkg/storage/etcd3/compact.go')),
    ],
  },
}

/** What `provision` makes users for when nothing is named. */
export const defaultComponents = ['calico-node', 'calico-cni', 'calico-kube-controllers', 'calicoctl'] as const
