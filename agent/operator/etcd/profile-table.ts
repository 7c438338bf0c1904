/**
 * Owns the table of what each component needs in etcd: one row a key or range, with the Calico versions that need it and the
 * recorded situation that asks for it (test/data/calico-traces). docs/etcd.md's tables are made of it; what is asked for and
 * not here is in test/support/calico-withheld.ts.
 */
import type { Access } from './grants.ts'

/** `node`: runs on every node, and has a user for each of them in per-node naming. `cluster`: one user in both namings. */
export type Scope = 'node' | 'cluster'

/** `component`: one user per component. `node`: one user per component and node, and rows with `{node}` reach only its own keys. */
export type Naming = 'component' | 'node'

export interface Row {
  readonly access: Access
  /** Ends with `/*` or `.*`: the prefix before the star. Otherwise one exact key. May hold `{node}`, in per-node naming only. */
  readonly keys: string
  /** Only in this naming; default: both. */
  readonly naming?: Naming
  /** First and last minor version of Calico that needs the row, such as 3.29. */
  readonly since?: string
  readonly until?: string
  /** Left out in the per-node naming with `--strict`. */
  readonly relaxed?: true
  /** `PROGRAM SITUATION` of a recorded trace that asks for it. */
  readonly trace?: string
  /** Where it is known from, if not from a trace; or why it stays although not every version in its range was seen to ask for it. */
  readonly because?: string
}

export interface Profile {
  readonly scope: Scope
  readonly about: string
  readonly rows: readonly Row[]
}

const docs = 'documented: tigera/docs, calico-etcdv3-paths'

type More = Omit<Row, 'access' | 'keys'>

const r = (keys: string, more: More): Row => ({ access: 'read', keys, ...more })
const rw = (keys: string, more: More): Row => ({ access: 'readwrite', keys, ...more })

/** Where Calico's own resources are. */
export const resources = '/calico/resources/v3/projectcalico.org/'
const P = (resource: string): string => `${resources}${resource}`

/** The recorded situation of a program, with what else a row says. */
const seen =
  (program: string) =>
  (situation: string, more: More = {}): More => ({ trace: `${program} ${situation}`, ...more })

const byComponent = { naming: 'component' } as const
const byNode = { naming: 'node' } as const

/**
 * Whoever initializes the datastore or creates a Node writes these (a transaction with a Put, so the right is needed also
 * if they exist). As exact keys: nothing else may create a tier. Their names changed with the versions.
 */
function tiers(needed: (more: More) => More): Row[] {
  return [
    rw(P('tiers/default'), needed({ since: '3.29' })),
    rw(P('tiers/adminnetworkpolicy'), needed({ since: '3.29', until: '3.31' })),
    rw(P('tiers/baselineadminnetworkpolicy'), needed({ since: '3.30', until: '3.31' })),
    rw(P('tiers/kube-admin'), needed({ since: '3.32' })),
    rw(P('tiers/kube-baseline'), needed({ since: '3.32' })),
  ]
}

/** What calico-node and the CNI plugin share of IPAM: only the affinities of a block are below the name of a node. */
function ipamOfNode(needed: (more?: More) => More): Row[] {
  return [
    rw('/calico/ipam/v2/assignment/*', needed()),
    rw('/calico/ipam/v2/handle/*', needed()),
    rw('/calico/ipam/v2/host/*', needed(byComponent)),
    rw('/calico/ipam/v2/host/{node}/*', needed(byNode)),
    rw('/calico/ipam/v2/config', needed({ until: '3.32' })),
    r('/calico/ipam/v2/config', needed({ since: '3.33' })),
  ]
}

const node = seen('calico-node')
const cni = seen('calico-cni')
const controllers = seen('calico-kube-controllers')
const admin = seen('calicoctl')
const reader = seen('calicoctl-read-only')
const editor = seen('calicoctl-policy-editor')

export const builtInProfiles: Readonly<Record<string, Profile>> = {
  'calico-node': {
    scope: 'node',
    about: 'calico/node: start-up, Felix, confd, tunnel addresses',
    rows: [
      r(`${resources}*`, node('felix-steady')),
      rw('/calico/felix/v1/host/*', node('felix-busy', byComponent)),
      rw('/calico/felix/v1/host/{node}/*', node('felix-busy', byNode)),
      rw('/calico/felix/v2/no-region/host/*', node('felix-busy', byComponent)),
      rw('/calico/felix/v2/no-region/host/{node}/*', node('felix-busy', byNode)),
      ...ipamOfNode((more) => node('tunnel-addrs-ipip', more)),
      rw(P('nodes/*'), node('startup-restart', byComponent)),
      rw(P('nodes/{node}'), node('startup-restart', byNode)),
      rw(P('felixconfigurations/node.*'), node('startup-second-node', byComponent)),
      rw(P('felixconfigurations/node.{node}'), node('startup-second-node', byNode)),
      ...tiers((more) => node('startup-restart', more)),
      rw(P('clusterinformations/default'), node('startup-operator-defaults', { relaxed: true })),
      rw(P('ipamconfigurations/default'), node('startup-operator-defaults', { since: '3.33', relaxed: true })),
      rw(P('felixconfigurations/default'), node('startup-empty', byComponent)),
      rw(P('bgpconfigurations/default'), node('startup-empty', { ...byComponent, since: '3.32' })),
      rw(P('ippools/default-ipv4-ippool'), node('startup-empty', byComponent)),
      rw(P('ippools/default-ipv6-ippool'), node('startup-ipv6-vxlan-env', byComponent)),
    ],
  },
  'calico-cni': {
    scope: 'node',
    about: 'the CNI plugin, with the copy of its certificate on the host',
    rows: [
      rw(P('workloadendpoints/*'), cni('add-first')),
      ...ipamOfNode((more) => cni('add-first', more)),
      // For all nodes by default: etcd then needs no role for each CNI plugin, and a borrowed address is given back whole.
      rw('/calico/ipam/v2/host/*', cni('del-borrowed-owner-unselected', { ...byNode, relaxed: true })),
      r('/calico/ipam/v2/host/*', cni('del-borrowed-owner-unselected', byNode)),
      r(P('ippools/*'), cni('add-first')),
      r(P('ipreservations/*'), cni('add-first')),
      r(P('nodes/*'), cni('add-first')),
      r(P('clusterinformations/default'), cni('add-first')),
      r(P('blockaffinities/*'), cni('add-explicit-ip-own-block', { since: '3.31' })),
    ],
  },
  'calico-kube-controllers': {
    scope: 'cluster',
    about: 'kube-controllers, with COMPACTION_PERIOD=0 (compaction needs the root role)',
    rows: [
      r(`${resources}*`, controllers('steady')),
      rw('/calico/ipam/v2/assignment/*', controllers('leaked-address')),
      rw('/calico/ipam/v2/handle/*', controllers('leaked-address')),
      rw('/calico/ipam/v2/host/*', controllers('node-removed')),
      rw('/calico/ipam/v2/virtual/load-balancer/*', controllers('loadbalancer', { since: '3.30' })),
      rw('/calico/ipam/v2/config', {
        since: '3.30',
        until: '3.32',
        because: 'whoever assigns the first address of a cluster writes it, as calico-cni does in add-first',
      }),
      r('/calico/ipam/v2/config', controllers('leaked-address', { since: '3.33' })),
      rw(P('profiles/kns.*'), controllers('steady')),
      rw(P('profiles/ksa.*'), controllers('steady')),
      rw(P('networkpolicies/*'), controllers('steady')),
      rw(P('workloadendpoints/*'), controllers('steady')),
      rw(P('nodes/*'), controllers('steady')),
      rw(P('hostendpoints/*'), controllers('auto-host-endpoints')),
      rw(P('felixconfigurations/node.*'), controllers('node-removed')),
      rw(P('bgpconfigurations/node.*'), controllers('node-removed')),
      rw(P('bgppeers/*'), controllers('node-removed')),
      rw(P('kubecontrollersconfigurations/default'), controllers('restart')),
      rw(P('clusterinformations/default'), controllers('start-empty')),
      ...tiers((more) => controllers('restart', more)),
      ...['globalnetworkpolicies/*', 'stagednetworkpolicies/*', 'stagedglobalnetworkpolicies/*'].map((keys) =>
        rw(P(keys), {
          ...controllers('upgrade-controllers-first', { since: '3.32' }),
          because: 'renames what v3.31 and older have left, also in an upgrade that leaves v3.32 out',
        }),
      ),
    ],
  },
  calicoctl: {
    scope: 'cluster',
    about: 'calicoctl with full access, for administrators',
    rows: [rw(`${resources}*`, admin('apply')), rw('/calico/ipam/v2/*', admin('label-patch-ipam'))],
  },
  'calicoctl-read-only': {
    scope: 'cluster',
    about: 'calicoctl, reading only',
    rows: [r(`${resources}*`, reader('get')), r('/calico/ipam/v2/*', reader('ipam-show-check'))],
  },
  'calicoctl-policy-editor': {
    scope: 'cluster',
    about: 'calicoctl for policies; the datastore must have been initialized before',
    rows: [
      r(`${resources}*`, editor('get')),
      r('/calico/ipam/v2/*', editor('ipam-show-check')),
      rw(P('globalnetworkpolicies/*'), editor('apply-delete')),
      rw(P('globalnetworksets/*'), editor('apply-delete')),
      rw(P('networkpolicies/*'), editor('apply-delete')),
      rw(P('networksets/*'), editor('apply-delete')),
      rw(P('profiles/*'), editor('apply-delete')),
    ],
  },
  felix: {
    scope: 'node',
    about: 'Felix on its own, without calico/node (OpenStack, hosts)',
    rows: [
      r(`${resources}*`, node('felix-steady')),
      r('/calico/ipam/v2/assignment/*', node('felix-steady')),
      rw('/calico/felix/v1/host/*', node('felix-busy', byComponent)),
      rw('/calico/felix/v1/host/{node}/*', node('felix-busy', byNode)),
      rw('/calico/felix/v2/*', node('felix-busy', { ...byComponent, because: 'of any OpenStack region' })),
      rw('/calico/felix/v2/no-region/host/{node}/*', node('felix-busy', byNode)),
      rw(P('nodes/*'), { ...byComponent, because: 'code: felix/daemon/daemon.go writes the keys of WireGuard' }),
      rw(P('nodes/{node}'), { ...byNode, because: 'code: felix/daemon/daemon.go writes the keys of WireGuard' }),
    ],
  },
  'calico-neutron': {
    scope: 'cluster',
    about: "OpenStack: networking-calico's Neutron driver",
    rows: [
      rw(`${resources}*`, { because: docs }),
      rw('/calico/dhcp/v1/*', { because: docs }),
      rw('/calico/dhcp/v2/*', { because: docs }),
      rw('/calico/compaction/v1/*', { because: docs }),
      rw('/calico/openstack/v1/*', { because: docs }),
      rw('/calico/openstack/v2/*', { because: docs }),
      r('/calico/felix/v1/*', { because: docs }),
      r('/calico/felix/v2/*', { because: docs }),
    ],
  },
  'calico-dhcp-agent': {
    scope: 'node',
    about: "OpenStack: networking-calico's DHCP agent",
    rows: [
      r(`${resources}*`, { because: docs }),
      r('/calico/dhcp/v1/*', { because: docs }),
      r('/calico/dhcp/v2/*', { because: docs }),
    ],
  },
  'kube-apiserver': {
    scope: 'cluster',
    about: 'kube-apiserver on the same etcd, with --etcd-compaction-interval=0 (compaction needs the root role)',
    rows: [
      rw('/registry/*', { because: 'documented: tigera/docs, etcd-rbac for Kubernetes' }),
      rw('compact_rev_key', { because: 'code: apiserver/pkg/storage/etcd3/compact.go' }),
    ],
  },
}

/** What `provision` makes users for when nothing is named. */
export const defaultComponents = ['calico-node', 'calico-cni', 'calico-kube-controllers', 'calicoctl'] as const
