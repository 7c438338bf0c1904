/** Every overlay, over Calico's manifest and over others like it: what each container mounts, is told, and may do. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { upstream, variants } from './calico.ts'
import { kustomize, leftOut, render } from './kustomize.ts'
import {
  agentImage,
  agentsOf,
  allContainers,
  environmentOf,
  type KubeObject,
  object,
  required,
  volumeAt,
  workload,
  workloadsOf,
} from './objects.ts'

const all = readdirSync(join(import.meta.dirname, '../../manifests/overlays'))
const migration = all.filter((name) => name.startsWith('migration-'))
/** Calico reads the agent's files and no Secret is left. */
const complete = all.filter((name) => !migration.includes(name))
const secrets = '/calico-secrets'
const hostCni = '/host/etc/cni/net.d'
const hostCopy = `${hostCni}/calico-tls`

describe.skipIf('missing' in kustomize)(`overlays${leftOut}`, () => {
  /** Each is asked about more than once. */
  const known = new Map<string, KubeObject[]>()
  const rendered = (overlay: string, calico = upstream): KubeObject[] => {
    const key = `${overlay} ${calico}`
    const objects = known.get(key) ?? render(overlay === 'base' ? overlay : `overlays/${overlay}`, { calico })
    known.set(key, objects)
    return objects
  }

  describe.each(Object.entries(variants))('over a manifest: %s', (_name, calico) => {
    it.each(complete)('%s: each component reads its own certificate, which the agent writes', (overlay) => {
      const objects = rendered(overlay, calico)
      const { spec: node } = workload(objects, 'calico-node').template
      const { spec: controllers } = workload(objects, 'calico-kube-controllers').template
      const places = [
        [node, required(node.containers, 'calico-node'), secrets],
        [node, required(node.initContainers, 'install-cni'), '/calico-cni-secrets'],
        [controllers, required(controllers.containers, 'calico-kube-controllers'), secrets],
      ] as const
      const volumes = places.map(([spec, consumer, agentPath]) => {
        const volume = volumeAt(spec, consumer, secrets)
        expect(volume.emptyDir?.medium).toBe('Memory')
        for (const agent of agentsOf(spec)) expect(volumeAt(spec, agent, agentPath)).toBe(volume)
        return volume
      })
      expect(new Set(volumes).size).toBe(places.length)
      for (const spec of [node, controllers])
        expect(spec.volumes.filter(({ secret }) => secret !== undefined)).toEqual([])
    })

    it.each(all)('%s: the static Secret is left alone, whatever the manifest says of it', (overlay) => {
      // Calico's own has `data: null`, which would empty one that was filled by other means.
      expect(rendered(overlay, calico).filter(({ kind }) => kind === 'Secret')).toEqual([])
    })

    it.each(all)('%s: the agent alone may write where it publishes', (overlay) => {
      for (const { template } of workloadsOf(rendered(overlay, calico))) {
        const agents = agentsOf(template.spec)
        const published = agents.flatMap((agent) =>
          (agent.volumeMounts ?? []).filter(({ mountPath }) => /^\/calico-(cni-)?secrets$/.test(mountPath)),
        )
        const volumes = new Set(published.map(({ name }) => name))
        expect(volumes.size > 0).toBe(agents.length > 0)
        for (const container of allContainers(template.spec)) {
          for (const mount of (container.volumeMounts ?? []).filter(({ name }) => volumes.has(name))) {
            expect([container.name, mount.mountPath, mount.readOnly ?? false]).toEqual([
              container.name,
              mount.mountPath,
              !agents.includes(container),
            ])
          }
        }
      }
    })

    it.each(all)('%s: nothing of Calico is lost or changed but mounts and COMPACTION_PERIOD', (overlay) => {
      const before = rendered('base', calico)
      const after = rendered(overlay, calico)
      for (const name of ['calico-node', 'calico-kube-controllers']) {
        const others = (objects: readonly KubeObject[]) => {
          const { initContainers = [], containers } = workload(objects, name).template.spec
          // Init containers run in their order; ordinary ones have none.
          return [...initContainers, ...containers.toSorted((a, b) => a.name.localeCompare(b.name))]
            .filter(({ image }) => image !== agentImage)
            .map(({ volumeMounts = [], env = [], ...rest }) => ({
              ...rest,
              env: env.filter((each) => each.name !== 'COMPACTION_PERIOD'),
              mounts: volumeMounts
                .map(({ mountPath }) => mountPath)
                .filter((path) => path !== hostCopy)
                .toSorted(),
            }))
        }
        expect(others(after)).toEqual(others(before))
      }
      const kinds = (objects: readonly KubeObject[]) =>
        objects.map(({ kind, metadata }) => `${kind} ${metadata.name.replace(/-[0-9a-z]{10}$/, '')}`)
      expect(kinds(after)).toEqual(expect.arrayContaining(kinds(before).filter((each) => !each.startsWith('Secret'))))
    })

    it.each(all)('%s: certificates are there before Calico starts', (overlay) => {
      for (const name of ['calico-node', 'calico-kube-controllers']) {
        const { initContainers = [], containers } = workload(rendered(overlay, calico), name).template.spec
        const [first] = initContainers
        if (overlay === 'migration-1-beside') {
          // Beside Calico that reads its Secret, an agent that fails, or an image that is not there, must not keep it from starting.
          expect(initContainers.map(({ image }) => image)).not.toContain(agentImage)
          const agent = required(containers, 'calico-vault-agent')
          expect(agent).toMatchObject({ args: ['run'], ports: [{ name: 'agent' }] })
          expect(agent).not.toHaveProperty('restartPolicy')
          continue
        }
        expect(first?.name).toBe(overlay === 'init-and-sidecar' ? 'calico-vault-agent-init' : 'calico-vault-agent')
        const beside = containers.filter((each) => each.name === 'calico-vault-agent')
        if (overlay === 'init-and-sidecar') {
          expect(first).toMatchObject({ args: ['init', '--wait', '1h'] })
          // Kubernetes before 1.29 drops what it does not know, and then takes a probe of an init container for a mistake.
          for (const field of ['restartPolicy', 'startupProbe', 'livenessProbe', 'readinessProbe', 'ports'])
            expect(first).not.toHaveProperty(field)
          expect(beside).toMatchObject([{ args: ['run'], ports: [{ name: 'agent' }] }])
          expect(beside[0]).not.toHaveProperty('restartPolicy')
        } else {
          expect(first).toMatchObject({ args: ['run'], restartPolicy: 'Always' })
          expect(beside).toEqual([])
          expect(first?.startupProbe?.exec?.command).toContain('started')
        }
      }
    })
  })

  it.each(Object.entries(variants))('calicoctl has the version of calico-node: %s', (_name, calico) => {
    const own = { resources: ['../overlays/native-sidecar'], components: ['../components/calicoctl'] }
    const objects = render('own', { calico, files: { 'own/kustomization.yaml': JSON.stringify(own) } })
    const tagOf = (name: string, container: string) =>
      required(workload(objects, name).template.spec.containers, container).image.split(':')[1]
    expect(tagOf('calicoctl', 'calicoctl')).toBe(tagOf('calico-node', 'calico-node'))
  })

  it.each(all.filter((name) => name !== 'migration-1-beside'))(
    '%s: calico-config names files that the agent writes',
    (overlay) => {
      const objects = rendered(overlay)
      const { data } = object(objects, 'ConfigMap', /^calico-config$/)
      expect(data).toMatchObject({
        etcd_ca: `${secrets}/etcd-ca`,
        etcd_cert: `${secrets}/etcd-cert`,
        etcd_key: `${secrets}/etcd-key`,
      })
      expect(data?.['etcd_endpoints']).toBe('https://10.0.0.1:2379')
      const { env } = required(
        workload(objects, 'calico-kube-controllers').template.spec.containers,
        'calico-kube-controllers',
      )
      expect(env).toContainEqual({ name: 'COMPACTION_PERIOD', value: '0' })
    },
  )

  it.each(all)(
    "%s: the CNI plugin's copy on the host is the agent's once Calico reads from it, and not before",
    (overlay) => {
      const objects = rendered(overlay)
      const { spec } = workload(objects, 'calico-node').template
      for (const agent of agentsOf(spec)) {
        const directory = environmentOf(objects, agent)['AGENT_HOST_CNI_DIR']
        expect(directory).toBe(overlay === 'migration-1-beside' ? undefined : hostCni)
        if (directory === undefined) continue
        // Nothing but the copy, and a mount for install-cni too: it would remove the directory that the agent has.
        for (const container of [agent, required(allContainers(spec), 'install-cni')]) {
          expect(volumeAt(spec, container, hostCopy).hostPath).toEqual({ path: '/etc/cni/net.d' })
          expect(container.volumeMounts).toContainEqual({
            mountPath: hostCopy,
            name: 'cni-net-dir',
            subPath: 'calico-tls',
          })
        }
        expect(agent.volumeMounts).not.toContainEqual(expect.objectContaining({ mountPath: directory }))
      }
      for (const agent of agentsOf(workload(objects, 'calico-kube-controllers').template.spec)) {
        expect(environmentOf(objects, agent)).not.toHaveProperty('AGENT_HOST_CNI_DIR')
      }
    },
  )

  it('migration-1-beside leaves to Calico the Secret and its configuration', () => {
    const objects = rendered('migration-1-beside')
    for (const [name, container] of [
      ['calico-node', 'calico-node'],
      ['calico-node', 'install-cni'],
      ['calico-kube-controllers', 'calico-kube-controllers'],
    ] as const) {
      const { spec } = workload(objects, name).template
      const volume = volumeAt(spec, required(allContainers(spec), container), secrets)
      expect(volume.secret).toMatchObject({ secretName: 'calico-etcd-secrets' })
    }
    expect(object(objects, 'ConfigMap', /^calico-config$/)).toEqual(
      object(render('base', { calico: upstream }), 'ConfigMap', /^calico-config$/),
    )
  })

  it('migration-2-switch gives the Secret to the agent alone', () => {
    const objects = rendered('migration-2-switch')
    for (const name of ['calico-node', 'calico-kube-controllers']) {
      const { spec } = workload(objects, name).template
      const mounted = allContainers(spec).filter(({ volumeMounts = [] }) =>
        volumeMounts.some((mount) => mount.name === 'etcd-certs'),
      )
      expect(mounted.map((each) => each.name)).toEqual(['calico-vault-agent'])
      for (const agent of mounted) {
        const directory = environmentOf(objects, agent)['AGENT_BOOTSTRAP_DIR'] ?? ''
        expect(volumeAt(spec, agent, directory).secret).toMatchObject({ secretName: 'calico-etcd-secrets' })
      }
    }
  })
})
