/** Owns kustomizations of a user's own that hold what no overlay has, so that every component is rendered somewhere. */
import { upstream } from './calico.ts'
import { render } from './kustomize.ts'
import type { KubeObject } from './objects.ts'

export const optional = ['node-cache', 'vault-in-cluster', 'calicoctl', 'pod-monitor', 'scrape-annotations', 'etcd-ca']

export function everything(): KubeObject[] {
  return own('per-node-users', optional)
}

export function everythingBefore129(): KubeObject[] {
  return own('kubernetes-auth', [...optional, 'init-and-sidecar'])
}

function own(overlay: string, components: readonly string[]): KubeObject[] {
  const kustomization = {
    resources: [`../overlays/${overlay}`],
    components: components.map((name) => `../components/${name}`),
  }
  // JSON is YAML.
  const files = { 'own/kustomization.yaml': JSON.stringify(kustomization), 'components/etcd-ca/etcd-ca.pem': 'a CA' }
  return render('own', { calico: upstream, files })
}
