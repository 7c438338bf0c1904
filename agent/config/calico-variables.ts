/** The variables about the Calico that is provisioned for: its versions, and the pools of a fresh datastore. Part of the one table. */
export const calicoVariables = {
  AGENT_CALICO_VERSION: {
    group: 'etcd',
    defaultText: 'all supported ones',
    meaning: 'provision, doctor: version of Calico, such as v3.32.1, or several with commas',
  },
  CALICO_IPV4POOL_CIDR: {
    group: 'etcd',
    meaning: 'provision --defaults: the IPv4 pool, as for calico-node; `none` for no pool',
  },
  CALICO_IPV4POOL_IPIP: {
    group: 'etcd',
    default: 'Never',
    meaning: 'provision --defaults: IPIP mode: Always, CrossSubnet or Never',
  },
  CALICO_IPV4POOL_VXLAN: {
    group: 'etcd',
    default: 'Never',
    meaning: 'provision --defaults: VXLAN mode: Always, CrossSubnet or Never',
  },
  CALICO_IPV4POOL_BLOCK_SIZE: {
    group: 'etcd',
    default: '26',
    meaning: 'provision --defaults: size of its blocks, 20 to 32',
  },
  CALICO_IPV4POOL_NAT_OUTGOING: {
    group: 'etcd',
    default: 'true',
    meaning: 'provision --defaults: whether its pods have NAT to the outside',
  },
  CALICO_IPV4POOL_NODE_SELECTOR: {
    group: 'etcd',
    default: 'all()',
    meaning: 'provision --defaults: the nodes that use it',
  },
  CALICO_IPV4POOL_DISABLE_BGP_EXPORT: {
    group: 'etcd',
    default: 'false',
    meaning: 'provision --defaults: `true`: BGP does not announce it',
  },
  CALICO_IPV6POOL_CIDR: {
    group: 'etcd',
    meaning: 'provision --defaults: the IPv6 pool, as for calico-node; `none` for no pool',
  },
  CALICO_IPV6POOL_VXLAN: {
    group: 'etcd',
    default: 'Never',
    meaning: 'provision --defaults: VXLAN mode: Always, CrossSubnet or Never',
  },
  CALICO_IPV6POOL_BLOCK_SIZE: {
    group: 'etcd',
    default: '122',
    meaning: 'provision --defaults: size of its blocks, 116 to 128',
  },
  CALICO_IPV6POOL_NAT_OUTGOING: {
    group: 'etcd',
    default: 'false',
    meaning: 'provision --defaults: whether its pods have NAT to the outside',
  },
  CALICO_IPV6POOL_NODE_SELECTOR: {
    group: 'etcd',
    default: 'all()',
    meaning: 'provision --defaults: the nodes that use it',
  },
  CALICO_IPV6POOL_DISABLE_BGP_EXPORT: {
    group: 'etcd',
    default: 'false',
    meaning: 'provision --defaults: `true`: BGP does not announce it',
  },
} as const
