/** Owns putting Calico with the agent into a cluster: an overlay over Calico's own manifest, with this cluster's settings. */
import { cpSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { upstream } from '../manifests/calico.ts'
import type { Cluster } from './cluster.ts'
import { agentImage, agentTag } from './images.ts'

const manifests = join(import.meta.dirname, '../../manifests')

export interface Deployment {
  readonly overlay: string
  readonly components?: readonly string[]
  readonly settings?: Readonly<Record<string, string>>
  /** Further patches, as YAML. */
  readonly patches?: readonly string[]
  /** Calico's manifest. Default: as it is downloaded. */
  readonly calico?: string
}

/** What `kubectl kustomize` makes of it. */
export async function render({ directory, etcd, vault, kubectl }: Cluster, deployment: Deployment): Promise<string> {
  const { overlay, components = [], settings = {}, patches = [], calico = upstream } = deployment
  const copy = mkdtempSync(join(directory, 'manifests-'))
  cpSync(manifests, copy, { recursive: true })
  const own = join(copy, 'my-cluster')
  mkdirSync(own)
  writeFileSync(join(copy, 'base/calico-etcd.yaml'), calico)
  writeFileSync(join(copy, 'components/etcd-ca/etcd-ca.pem'), etcd.caPem)
  writeFileSync(join(own, 'vault-ca.pem'), vault.caPem)
  const all = { VAULT_ADDR: vault.address, AGENT_CLUSTER: 'e2e', ...settings }
  writeFileSync(
    join(own, 'settings.env'),
    Object.entries(all)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(''),
  )
  const endpoints = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'calico-config', namespace: 'kube-system' },
    data: { etcd_endpoints: etcd.endpoint },
  }
  const kustomization = {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    resources: [`../overlays/${overlay}`],
    components: [
      ...components.filter((name) => name !== 'init-and-sidecar'),
      'etcd-ca',
      ...components.filter((name) => name === 'init-and-sidecar'),
    ].map((name) => `../components/${name}`),
    images: [{ name: 'registry.invalid/calico-vault-agent', newName: agentImage, newTag: agentTag }],
    configMapGenerator: [
      {
        name: 'calico-vault-agent',
        namespace: 'kube-system',
        behavior: 'merge',
        envs: ['settings.env'],
        files: ['VAULT_CACERT_BYTES=vault-ca.pem'],
      },
    ],
    patches: [JSON.stringify(endpoints), ...patches].map((patch) => ({ patch })),
  }
  writeFileSync(join(own, 'kustomization.yaml'), JSON.stringify(kustomization))
  return await kubectl.run('kustomize', own)
}

/** Applies it, and waits until the last pod of it is Ready. */
export async function deploy(cluster: Cluster, deployment: Deployment): Promise<void> {
  await apply(cluster, deployment)
  await rolledOut(cluster)
}

export async function apply(cluster: Cluster, deployment: Deployment): Promise<void> {
  await cluster.kubectl.apply(await render(cluster, deployment))
}

export async function rolledOut({ kubectl }: Cluster): Promise<void> {
  const status = ['rollout', 'status', '--timeout=150s']
  await Promise.all(
    ['daemonset/calico-node', 'deployment/calico-kube-controllers'].map((name) => kubectl.run(...status, name)),
  )
}
