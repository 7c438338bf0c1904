/** Every container that runs the agent, in every overlay and component: it starts, is probed where it listens, and may do little. */
import { readdirSync, readFileSync } from 'node:fs'
import { get } from 'node:http'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { parseCommandLine } from '../../agent/cli/command-line.ts'
import { type Config, parseConfig } from '../../agent/config/config.ts'
import { variables } from '../../agent/config/variables.ts'
import { parseWatchConfig } from '../../agent/config/watch.ts'
import { systemClock } from '../../agent/core/clock.ts'
import { builtInProfiles } from '../../agent/operator/etcd/profile-table.ts'
import { createHealth } from '../../agent/sidecar/observe/health.ts'
import { createMetrics } from '../../agent/sidecar/observe/metrics.ts'
import { createPresent } from '../../agent/sidecar/observe/present.ts'
import { startObserveServer } from '../../agent/sidecar/observe/server.ts'
import { createCa } from '../support/certificates.ts'
import { upstream } from './calico.ts'
import { cases, type Own, objectsOf, optional, overlays } from './cases.ts'
import { kustomize, leftOut, render } from './kustomize.ts'
import {
  agentsOf,
  allContainers,
  type Container,
  environmentOf,
  type PodSpec,
  volumeAt,
  workloadsOf,
} from './objects.ts'

const manifests = join(import.meta.dirname, '../../manifests')
describe.skipIf('missing' in kustomize)(`agents${leftOut}`, () => {
  it('every component is in some case', () => {
    const used = overlays
      .map((name) => readFileSync(join(manifests, 'overlays', name, 'kustomization.yaml'), 'utf8'))
      .join('\n')
    const unused = readdirSync(join(manifests, 'components')).filter(
      (name) => !used.includes(`components/${name}`) && !optional.includes(name),
    )
    expect(unused).toEqual([])
  })

  describe.each(cases)('%s', (_case, way) => {
    const objects = 'missing' in kustomize ? [] : objectsOf(way)
    const agents = workloadsOf(objects).flatMap(({ name, template }) =>
      agentsOf(template.spec).map((agent): [string, { spec: PodSpec; agent: Container }] => [
        `${name}: ${agent.args?.join(' ')}`,
        { spec: template.spec, agent },
      ]),
    )

    it("the image is nobody's until it is set, in one place", () => {
      // RFC 6761: no name below .invalid is ever resolved.
      for (const { image } of agents.map(([, { agent }]) => agent)) expect(image).toMatch(/^registry\.invalid\//)
    })

    it('there are some', () => {
      expect(agents.length).toBeGreaterThanOrEqual(2)
    })

    it.each(agents)('%s accepts its arguments and its environment', (_name, { agent }) => {
      const env = environmentOf(objects, agent)
      // node-cache hands it to AGENT_STATE_DIR of calico-node's agent alone.
      const handedOn = 'NODE_STATE_DIR'
      const known = [...Object.keys(variables), 'KUBERNETES_SERVICE_HOST', 'KUBERNETES_SERVICE_PORT', handedOn]
      expect(known).toEqual(expect.arrayContaining(Object.keys(env)))
      expect(configOf(agent, env).node).toBe('node1')
    })

    it.each(agents)('%s writes only where a volume is its own, as a user who can', (_name, { spec, agent }) => {
      const config = configOf(agent, environmentOf(objects, agent))
      for (const { directory } of config.targets)
        expect(volumeAt(spec, agent, directory).emptyDir).toEqual({ medium: 'Memory', sizeLimit: '1Mi' })
      if (config.etcdCaFile !== undefined)
        expect(volumeAt(spec, agent, '/etcd-ca').configMap).toEqual({
          name: 'calico-vault-agent-etcd-ca',
          optional: true,
        })
      if (config.stateDirectory !== undefined)
        expect(volumeAt(spec, agent, config.stateDirectory).hostPath).toBeDefined()
      const isRoot = config.targets.some(({ component }) => component === 'calico-node')
      // Of the container or of its pod; Calico's pods have it since v3.29.
      const { seccompProfile = spec.securityContext?.seccompProfile, ...securityContext } = agent.securityContext ?? {}
      expect(seccompProfile).toEqual({ type: 'RuntimeDefault' })
      expect(securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
        ...(isRoot ? { runAsUser: 0, runAsGroup: 0 } : {}),
        ...(agent.securityContext?.['runAsUser'] === 10_001
          ? { runAsNonRoot: true, runAsUser: 10_001, runAsGroup: 10_001 }
          : {}),
      })
      expect(agent.resources).toMatchObject({
        requests: { memory: expect.any(String) },
        limits: { memory: expect.any(String) },
      })
      // A user of the pod that is not the agent's reads the files by the group of the volume.
      if (!isRoot) expect(spec.securityContext?.fsGroup).toBe(10_001)
    })

    it.each(agents)('%s logs in with a token for Vault alone, of ten minutes', (_name, { spec, agent }) => {
      const { auth } = configOf(agent, environmentOf(objects, agent))
      if (auth?.method !== 'jwt' && auth?.method !== 'kubernetes') throw new Error(auth?.method)
      const directory = auth.tokenFile.slice(0, auth.tokenFile.lastIndexOf('/'))
      expect(volumeAt(spec, agent, directory).projected?.sources).toEqual([
        {
          serviceAccountToken: {
            audience: 'vault-calico',
            expirationSeconds: 600,
            path: auth.tokenFile.slice(directory.length + 1),
          },
        },
      ])
      // The role of Vault is called as the first component, and holds for its service account.
      expect(auth.role).toBe(spec.serviceAccountName)
    })

    it.each(agents)(
      '%s: one name a node where it runs on every node, one name a cluster elsewhere',
      (_name, { agent }) => {
        const env = environmentOf(objects, agent)
        const profiles: Readonly<Record<string, { scope: string }>> = {
          ...builtInProfiles,
          'calico-provisioner': { scope: 'cluster' },
        }
        for (const { component, commonName } of configOf(agent, env).targets) {
          const isShared = profiles[component]?.scope === 'cluster' || isSharing(way)
          expect(commonName).toBe(isShared ? component : `${component}:node1`)
        }
      },
    )

    it('probes ask where the agent listens, on paths that it serves', async () => {
      const ports: number[] = []
      for (const { template } of workloadsOf(objects)) {
        for (const agent of agentsOf(template.spec)) {
          const { listen } = configOf(agent, environmentOf(objects, agent))
          if (agent.ports === undefined) continue
          expect(agent.ports).toEqual([{ name: 'agent', containerPort: listen?.port }])
          if (template.spec.hostNetwork) ports.push(listen?.port ?? 0)
          const annotated = template.metadata?.annotations?.['prometheus.io/port']
          if (annotated !== undefined) expect(annotated).toBe(String(listen?.port))
          for (const probe of [agent.livenessProbe, agent.readinessProbe]) {
            if (probe === undefined) continue
            expect(probe.httpGet?.port).toBe('agent')
            expect(await statusOf(probe.httpGet?.path ?? '')).not.toBe(404)
          }
        }
      }
      // Pods on the host's network share its ports, with Felix and Typha as well.
      expect(new Set([...ports, 9091, 9093, 9094, 9098, 9099]).size).toBe(ports.length + 5)
    })

    it('on the host network, probes are answered by the container that they ask about', () => {
      const probed = workloadsOf(objects).flatMap(({ template: { spec } }) =>
        spec.hostNetwork ? agentsOf(spec).filter(({ readinessProbe }) => readinessProbe) : [],
      )
      expect(probed.length).toBeGreaterThan(0)
      for (const { startupProbe } of probed) {
        // docs/adr/0013: the kubelet asks nothing at the port before this has succeeded.
        const { command = [] } = startupProbe?.exec ?? {}
        expect(command).toEqual(['node', '/app/main.js', 'started', '--wait', expect.stringMatching(/^\d+s$/)])
        const [periodS, timeoutS] = [startupProbe?.periodSeconds ?? 10, startupProbe?.timeoutSeconds ?? 1]
        expect(Number.parseInt(command.at(-1) ?? '', 10)).toBeLessThan(timeoutS)
        // An hour, as a restart gains nothing.
        expect((startupProbe?.failureThreshold ?? 3) * Math.max(timeoutS, periodS)).toBeGreaterThanOrEqual(3600)
      }
    })

    it('no ConfigMap key or volume is missing', () => {
      for (const { name, template } of workloadsOf(objects)) {
        for (const container of allContainers(template.spec)) {
          for (const { name: volume } of container.volumeMounts ?? []) {
            expect(
              template.spec.volumes.map((each) => each.name),
              `${name}/${container.name}`,
            ).toContain(volume)
          }
          expect(() =>
            environmentOf(objects, {
              ...container,
              env: (container.env ?? []).filter(({ valueFrom }) => valueFrom?.configMapKeyRef),
            }),
          ).not.toThrow()
        }
      }
    })
  })

  it("takes Vault's CA from vault-ca.pem", async () => {
    const { certificatePem } = await createCa()
    const objects = render('overlays/native-sidecar', {
      calico: upstream,
      files: { 'base/vault-ca.pem': certificatePem },
    })
    const [agent] = workloadsOf(objects).flatMap(({ template }) => agentsOf(template.spec))
    if (agent === undefined) throw new Error('no agent')
    expect(configOf(agent, environmentOf(objects, agent)).vault).toMatchObject({ caPem: certificatePem.trim() })
  })

  it('gives the provisioner the names of the nodes and nothing else', () => {
    const objects = render('overlays/per-node-users', { calico: upstream })
    const role = objects.find(({ kind, metadata }) => kind === 'ClusterRole' && metadata.name === 'calico-provisioner')
    expect(role?.rules).toEqual([{ apiGroups: [''], resources: ['nodes'], verbs: ['list', 'watch'] }])
  })
})

function isSharing({ overlay, components }: Own): boolean {
  return [overlay, ...components].includes('shared-users')
}

/** As main.ts reads them. */
function configOf({ args = [] }: Container, env: Record<string, string>): Config {
  const [command, ...rest] = args
  if (command === 'run' || command === 'init') {
    const expected = command === 'run' ? [] : ['--wait', '1h'].slice(0, rest.length)
    expect(rest).toEqual(expected)
    return parseConfig(env, 'pod')
  }
  expect(command).toBe('provision')
  const options = { action: 'watch', naming: 'node', nodesFile: undefined }
  expect(parseCommandLine(args)).toMatchObject({ command: 'provision', options })
  const { agent } = parseWatchConfig(env, 'pod', true)
  if (agent === undefined) throw new Error('the provisioner has no certificate of its own')
  return agent
}

async function statusOf(path: string): Promise<number> {
  const clock = systemClock
  const present = createPresent([], clock)
  const health = createHealth([], present, clock, 1000)
  const metrics = createMetrics({ present, version: '0', clock })
  const server = startObserveServer({
    listen: { host: '127.0.0.1', port: 0 },
    health,
    metrics,
    clock,
    container: undefined,
    emit: () => {},
  })
  onTestFinished(() => server.close())
  const url = `http://127.0.0.1:${await server.port}${path}`
  return await new Promise((resolve, reject) =>
    get(url, (response) => resolve(response.resume().statusCode ?? 0)).on('error', reject),
  )
}
