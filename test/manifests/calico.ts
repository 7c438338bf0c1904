/** Owns Calico's manifest for tests: as it is, and changed in the ways in which other versions and other people's copies differ. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'

/** Unchanged, but for the place of etcd that every user fills in. */
export const upstream = readFileSync(join(import.meta.dirname, 'data/calico-etcd-v3.32.1.yaml'), 'utf8').replace(
  'http://<ETCD_IP>:<ETCD_PORT>',
  'https://10.0.0.1:2379',
)

type Json = Readonly<Record<string, unknown>>
type Spec = Record<'initContainers' | 'containers' | 'volumes', Record<string, unknown>[]>

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
  'one image and user 10001, as after v3.32': changed((_kind, { initContainers, containers }) => {
    for (const container of [...(initContainers ?? []), ...containers]) {
      container['image'] = 'quay.io/calico/calico:v3.33.0'
      if (container['name'] === 'install-cni') container['securityContext'] = { privileged: true, runAsUser: 0 }
    }
  }),
  'mount-bpffs in the place of ebpf-bootstrap, as up to v3.28': upstream.replaceAll('ebpf-bootstrap', 'mount-bpffs'),
  'without the Secret, which is made by other means': documents()
    .filter(({ kind }) => kind !== 'Secret')
    .map((each) => JSON.stringify(each))
    .join('\n---\n'),
}

function documents(): Json[] {
  return parseAllDocuments(upstream).map((document) => document.toJS() as Json)
}

function changed(change: (kind: string, spec: Spec) => void): string {
  return documents()
    .map((each) => {
      const { kind, spec } = each as { kind: string; spec?: { template?: { spec: Spec } } }
      if (spec?.template !== undefined) change(kind, spec.template.spec)
      return JSON.stringify(each)
    })
    .join('\n---\n')
}
