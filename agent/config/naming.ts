/** Owns the common name that a component has if AGENT_COMMON_NAME is not set: the same as `setup-vault` and `provision` make. */

/** Components that run once in a cluster: they have one name, whatever node they are on. Everything else has one for each node. */
export const clusterComponents: readonly string[] = [
  'calico-kube-controllers',
  'calicoctl',
  'calicoctl-read-only',
  'calicoctl-policy-editor',
  'calico-neutron',
  'kube-apiserver',
  'calico-provisioner',
]

/** As a template. */
export function defaultCommonName(component: string): string {
  return clusterComponents.includes(component) ? '{component}' : '{component}:{node}'
}
