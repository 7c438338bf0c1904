/** Owns Calico's manifest for tests: as it is, and changed in the ways in which other versions and other people's copies differ. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseAllDocuments, stringify } from 'yaml'

/** Unchanged, but for the place of etcd that every user fills in. */
export const upstream = readFileSync(join(import.meta.dirname, 'data/calico-etcd-v3.32.1.yaml'), 'utf8').replace(
  'http://<ETCD_IP>:<ETCD_PORT>',
  'https://10.0.0.1:2379',
)

type Json = Readonly<Record<string, unknown>>
type Spec = Record<'initContainers' | 'containers' | 'volumes', Record<string, unknown>[]>

interface Shape {
  /** In the place of quay.io/calico/NAME:v3.32.1. */
  readonly image: (name: string) => string
  /** What follows install-cni. */
  readonly bpf: 'mount-bpffs' | 'ebpf-bootstrap'
  /** Of the pods; the containers have none of their own. */
  readonly seccomp: boolean
  readonly installCniUser?: number
}

/** What matters here of how Calico's own manifest differs from v3.32.1. */
const versions: Readonly<Record<string, Shape>> = {
  'v3.27, v3.28': { image: (name) => `docker.io/calico/${name}:v3.28.5`, bpf: 'mount-bpffs', seccomp: false },
  'v3.29, v3.30': { image: (name) => `docker.io/calico/${name}:v3.30.7`, bpf: 'mount-bpffs', seccomp: true },
  'v3.31': { image: (name) => `quay.io/calico/${name}:v3.31.7`, bpf: 'ebpf-bootstrap', seccomp: true },
  'v3.33 and master: one image, user 10001': {
    image: () => 'quay.io/calico/calico:v3.33.0',
    bpf: 'ebpf-bootstrap',
    seccomp: true,
    installCniUser: 0,
  },
}

export const variants: Readonly<Record<string, string>> = {
  'v3.32.1': upstream,
  'other order, other containers in between': changed((_kind, { initContainers, containers, volumes }) => {
    initContainers?.reverse()
    initContainers?.unshift({ name: 'wait-for-disk', image: 'example.invalid/wait' })
    containers.unshift({ name: 'log-shipper', image: 'example.invalid/log' })
    for (const list of [...(initContainers ?? []), ...containers])
      (list['volumeMounts'] as unknown[] | undefined)?.reverse()
    volumes.reverse()
  }),
  ...Object.fromEntries(
    Object.entries(versions).map(([name, shape]) => [name, changed((_kind, spec, pod) => reshape(shape, spec, pod))]),
  ),
  'upgrade-ipam in front of install-cni, as where it was moved from host-local': changed(
    (_kind, { initContainers }) => {
      initContainers?.unshift({
        name: 'upgrade-ipam',
        image: 'quay.io/calico/cni:v3.32.1',
        command: ['/opt/cni/bin/calico-ipam', '-upgrade'],
        securityContext: { privileged: true },
      })
    },
  ),
  'without the Secret, which is made by other means': documents()
    .filter(({ kind }) => kind !== 'Secret')
    .map((each) => JSON.stringify(each))
    .join('\n---\n'),
}

/** Calico with one certificate for all, in its Secret: what a cluster runs before the agent. */
export function plainCalico(endpoint: string, secret: Readonly<Record<string, string>>): string {
  return parseAllDocuments(upstream)
    .map((document) => {
      const object = document.toJS() as { kind: string; metadata: { name: string }; data?: Record<string, string> }
      if (object.kind === 'Secret') {
        object.data = Object.fromEntries(
          Object.entries(secret).map(([name, pem]) => [name, Buffer.from(pem).toString('base64')]),
        )
      }
      if (object.kind === 'ConfigMap' && object.metadata.name === 'calico-config') {
        const files = {
          etcd_ca: '/calico-secrets/etcd-ca',
          etcd_cert: '/calico-secrets/etcd-cert',
          etcd_key: '/calico-secrets/etcd-key',
        }
        object.data = { ...object.data, ...files, etcd_endpoints: endpoint }
      }
      // As people have it: kubectl takes several objects of a file in YAML only.
      return stringify(object)
    })
    .join('---\n')
}

function documents(): Json[] {
  return parseAllDocuments(upstream).map((document) => document.toJS() as Json)
}

function reshape({ image, bpf, seccomp, installCniUser }: Shape, spec: Spec, pod: Record<string, unknown>): void {
  if (!seccomp) delete pod['securityContext']
  for (const container of [...(spec.initContainers ?? []), ...spec.containers]) {
    container['image'] = image(/([^/]+):[^:]*$/.exec(String(container['image']))?.[1] ?? '')
    if (container['name'] === 'ebpf-bootstrap') container['name'] = bpf
    if (container['name'] === 'install-cni' && installCniUser !== undefined)
      container['securityContext'] = { privileged: true, runAsUser: installCniUser }
  }
}

function changed(change: (kind: string, spec: Spec, pod: Record<string, unknown>) => void): string {
  return documents()
    .map((each) => {
      const { kind, spec } = each as { kind: string; spec?: { template?: { spec: Spec } } }
      if (spec?.template !== undefined) change(kind, spec.template.spec, spec.template.spec)
      return JSON.stringify(each)
    })
    .join('\n---\n')
}
