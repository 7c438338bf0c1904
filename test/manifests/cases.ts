/** Owns every documented way to put overlays and components together: each is rendered, read, and shown to a real API server. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { upstream } from './calico.ts'
import { render } from './kustomize.ts'
import type { KubeObject } from './objects.ts'

export const overlays = readdirSync(join(import.meta.dirname, '../../manifests/overlays'))

/** What a user may add to any overlay, in any order. */
export const optional = [
  'node-cache',
  'vault-in-cluster',
  'selinux',
  'etcd-ca',
  'shared-users',
  'provision-watch',
  'calicoctl',
  'pod-monitor',
  'scrape-annotations',
]

/** A kustomization of a user's own. */
export interface Own {
  readonly overlay: string
  readonly components: readonly string[]
}

/** The migration before Kubernetes 1.30, and before 1.29 (docs/migration.md). */
const before130: readonly Own[] = [
  { overlay: 'migration-1-beside', components: ['kubernetes-auth'] },
  { overlay: 'migration-2-switch', components: ['kubernetes-auth'] },
  { overlay: 'migration-2-switch', components: ['kubernetes-auth', 'init-and-sidecar'] },
]

export const ways: readonly Own[] = [
  ...overlays.map((overlay) => ({ overlay, components: [] })),
  // One of each form of the agent; the other overlays are these with another variable.
  ...['native-sidecar', 'init-and-sidecar', 'migration-1-beside', 'migration-2-switch'].flatMap((overlay) => [
    { overlay, components: optional },
    { overlay, components: optional.toReversed() },
  ]),
  ...before130,
]

/** The title of a way, and its objects. */
export const cases: readonly (readonly [title: string, way: Own])[] = ways.map((way) => [titleOf(way), way])

function titleOf({ overlay, components }: Own): string {
  if (components.length < optional.length) return [overlay, ...components].join(' with ')
  return `${overlay} with every component${components[0] === optional[0] ? '' : ', the other way round'}`
}

const known = new Map<Own, KubeObject[]>()

/** As the first program renders it, once. */
export function objectsOf(way: Own): KubeObject[] {
  const objects = known.get(way) ?? renderWay(way)
  known.set(way, objects)
  return objects
}

/** @param program the command that renders, by default the first */
export function renderWay({ overlay, components }: Own, program?: readonly string[]): KubeObject[] {
  if (components.length === 0) return render(`overlays/${overlay}`, { calico: upstream, program })
  const kustomization = {
    resources: [`../overlays/${overlay}`],
    components: components.map((name) => `../components/${name}`),
  }
  // JSON is YAML.
  const files = { 'own/kustomization.yaml': JSON.stringify(kustomization), 'components/etcd-ca/etcd-ca.pem': 'a CA' }
  return render('own', { calico: upstream, files, program })
}
