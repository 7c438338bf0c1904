/**
 * The way of a running cluster, by the commands of README.md, install.md, migration.md, upgrade.md and monitoring.md as they are written
 * there, with kubectl on a real API server. After each it looks at what is in the cluster. Nothing runs there: what needs pods is
 * test/e2e's.
 */
import { spawnSync } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readRules } from '../../build/alert-rules.ts'
import { locateServer, requireServer } from '../servers/locate.ts'
import { type ChildServer, spawnServer } from '../support/child-server.ts'
import type { Ended } from '../support/command.ts'
import { commandsOf, fencedBlock, runCommands, shellBlock } from '../support/documents.ts'
import { readDashboard } from '../support/grafana-dashboard.ts'
import { hasPromtool, runPromtool } from '../support/promtool.ts'
import { type KubeApiserver, startKubeApiserver } from '../support/real-kube-apiserver.ts'
import { plainCalico } from './calico.ts'
import { runNamed } from './named-commands.ts'
import { agentsOf, allContainers, type KubeObject, type PodTemplate, required, volumeAt } from './objects.ts'

const root = join(import.meta.dirname, '../..')
const image = 'registry.example.org/calico-vault-agent:0.1.0'
const secret = { 'etcd-ca': 'the old CA', 'etcd-cert': 'the old certificate', 'etcd-key': 'the old key' }
const missing = [
  ...(['etcd', 'kube-apiserver', 'kubernetes'] as const).flatMap((name) => {
    const found = locateServer(name)
    return 'missing' in found ? [found.missing] : []
  }),
  ...['kubectl', 'diff', 'yq'].filter((name) => spawnSync('which', [name]).status !== 0),
]
const leftOut = missing.length === 0 ? '' : ` (left out: ${missing.join(', ')})`

describe.skipIf(missing.length > 0)(`a cluster, as the documents have it${leftOut}`, () => {
  let kube: KubeApiserver
  let controllers: ChildServer
  let directory: string
  /** What calico-node was before anything was done. */
  let before: object

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'cluster-path-'))
    kube = await startKubeApiserver()
    controllers = startTokenController(kube, directory)
    cpSync(join(root, 'manifests'), join(directory, 'manifests'), { recursive: true })
    rmSync(join(directory, 'manifests/base/calico-etcd.yaml'), { force: true })
    writeFileSync(join(directory, 'calico-etcd.yaml'), plainCalico('https://10.0.0.1:2379', secret))
    // etcd's CA, as install.md has it in the kustomization.
    writeFileSync(join(directory, 'manifests/components/etcd-ca/etcd-ca.pem'), 'the CA of etcd')
    makePrograms(directory)
  }, 180_000)
  afterAll(async () => {
    await controllers?.kill()
    await kube?.stop()
    rmSync(directory, { recursive: true, force: true })
  })

  const environment = (): Record<string, string> => ({
    PATH: `${join(directory, 'bin')}:${process.env['PATH'] ?? ''}`,
    HOME: directory,
    EDITOR: 'editor',
  })
  /** To its end. @param code `kubectl diff` ends with 1 if there is a difference */
  async function run(commands: string, code = 0): Promise<Ended> {
    const here = { '/path/to/your/calico-etcd.yaml': 'calico-etcd.yaml' }
    const ended = await runCommands(commands, { directory, env: environment(), here })
    expect(ended.code, `${commands}\n${ended.stdout}${ended.stderr}`).toBe(code)
    return ended
  }
  async function get(path: string): Promise<KubeObject> {
    const { status, body } = await kube.request('GET', path)
    expect({ path, status }).toEqual({ path, status: 200 })
    return body as unknown as KubeObject
  }
  const inNamespace = async (kind: string, name: string, group = 'apps/v1'): Promise<KubeObject> =>
    await get(`/apis/${group}/namespaces/kube-system/${kind}/${name}`)
  const calicoNode = async (): Promise<PodTemplate['spec']> => {
    const { spec } = await inNamespace('daemonsets', 'calico-node')
    return (spec?.['template'] as PodTemplate).spec
  }
  const staticSecret = async (): Promise<KubeObject> =>
    await get('/api/v1/namespaces/kube-system/secrets/calico-etcd-secrets')
  const encoded = Object.fromEntries(
    Object.entries(secret).map(([name, text]) => [name, Buffer.from(text).toString('base64')]),
  )

  it('install.md, "Roll back", first: the cluster as it is', async () => {
    const [apply = ''] = commandsOf(shellBlock('docs/install.md', 'kubectl apply -f calico-etcd.yaml'))
    await run(apply)
    before = await calicoNode()
    expect((await staticSecret()).data).toEqual(encoded)
  }, 180_000)

  it('migration.md: the Secret is marked as one that stays', async () => {
    await run(shellBlock('docs/migration.md', 'argocd'))
    const marks = {
      'argocd.argoproj.io/sync-options': 'Prune=false',
      'kustomize.toolkit.fluxcd.io/prune': 'disabled',
    }
    expect((await staticSecret()).metadata.annotations).toMatchObject(marks)
  })

  it('README.md and install.md: your manifest, your settings, what differs, and the agent in the pods', async () => {
    for (const line of commandsOf(shellBlock('README.md', '$EDITOR my-cluster/kustomization.yaml'))) {
      const isDiff = line.includes('kubectl diff')
      const { stdout } = await run(line, isDiff ? 1 : 0)
      if (isDiff) expect(stdout).toContain(`+        image: ${image}`)
      if (line.startsWith('kubectl apply')) expect(stdout).toContain('daemonset.apps/calico-node configured')
    }
    // What is built and pushed is what the pods ask for.
    expect(readFileSync(join(directory, 'docker.log'), 'utf8')).toBe(`build -t ${image} .\npush ${image}\n`)
    const spec = await calicoNode()
    expect(agentsOf(spec, image)).toHaveLength(1)
    expect(await staticSecret()).toMatchObject({ data: encoded })
    const [copy = ''] = commandsOf(shellBlock('docs/install.md', 'manifests/base/calico-etcd.yaml'))
    await run(copy)
    // Once applied, the same commands say that nothing differs.
    const [diff = '', apply = ''] = commandsOf(shellBlock('docs/install.md', 'kubectl diff'))
    expect((await run(diff)).stdout).toBe('')
    await run(apply)
    expect(await calicoNode()).toEqual(spec)
  }, 180_000)

  it.each(['migration-1-beside', 'migration-2-switch', 'native-sidecar', 'migration-2-switch', 'migration-1-beside'])(
    'migration.md: %s, and the Secret is as it was',
    async (overlay) => {
      const table = readFileSync(join(root, 'docs/migration.md'), 'utf8')
      expect(table).toContain(`| \`${overlay}\` |`)
      const file = join(directory, 'my-cluster/kustomization.yaml')
      const text = readFileSync(file, 'utf8')
      writeFileSync(file, text.replace(/overlays\/[\w-]+/, `overlays/${overlay}`))
      await run('kubectl apply -k my-cluster')
      const spec = await calicoNode()
      const read = volumeAt(spec, required(allContainers(spec), 'calico-node'), '/calico-secrets')
      if (overlay === 'migration-1-beside') expect(read.secret).toMatchObject({ secretName: 'calico-etcd-secrets' })
      else expect(read.emptyDir).toMatchObject({ medium: 'Memory' })
      const isMounted = spec.volumes.some(({ secret: mounted }) => mounted !== undefined)
      expect(isMounted).toBe(overlay !== 'native-sidecar')
      expect(agentsOf(spec, image)).toHaveLength(1)
      expect(await staticSecret()).toMatchObject({ data: encoded })
    },
    180_000,
  )

  it('install.md, "Roll back": calico-node is what it was', async () => {
    const [apply = ''] = commandsOf(shellBlock('docs/install.md', 'kubectl apply -f calico-etcd.yaml'))
    await run(apply)
    expect(await calicoNode()).toEqual(before)
    expect(await staticSecret()).toMatchObject({ data: encoded })
  }, 180_000)

  it('migration.md, step 4: the Secret is gone', async () => {
    const [, remove = ''] =
      /`(kubectl [^`]*delete secret[^`]*)`/.exec(readFileSync(join(root, 'docs/migration.md'), 'utf8')) ?? []
    await run(remove)
    const { status } = await kube.request('GET', '/api/v1/namespaces/kube-system/secrets/calico-etcd-secrets')
    expect(status).toBe(404)
  })

  it('install.md, 6.: a job of calicoctl', async () => {
    const file = join(directory, 'my-cluster/kustomization.yaml')
    writeFileSync(file, readFileSync(file, 'utf8').replace(/overlays\/[\w-]+/, 'overlays/per-node-users'))
    await run('kubectl apply -k my-cluster')
    await run(shellBlock('docs/install.md', 'create job'))
    const { spec } = await inNamespace('jobs', 'calicoctl-1', 'batch/v1')
    const pod = (spec?.['template'] as PodTemplate).spec
    expect(agentsOf(pod, image)).toHaveLength(1)
    expect(required(pod.containers, 'calicoctl').image).toMatch(/calico\/ctl:v3/)
  }, 180_000)

  it.each(['v3.30.7,v3.32.1', 'v3.32.1'])('upgrade.md: the provisioner is told %s', async (versions) => {
    await run(shellBlock('docs/upgrade.md', `calico-provisioner AGENT_CALICO_VERSION=${versions}\n`))
    const { spec } = await inNamespace('deployments', 'calico-provisioner')
    const { containers } = (spec?.['template'] as PodTemplate).spec
    expect(required(containers, 'calico-provisioner').env).toContainEqual({
      name: 'AGENT_CALICO_VERSION',
      value: versions,
    })
  })

  it("install.md, Vault before Kubernetes 1.30: the reviewer's token is one that the API server knows", async () => {
    const [apply = '', fetch = ''] = commandsOf(shellBlock('docs/install.md', 'token-reviewer.yaml'))
    await run(apply)
    const read = async (): Promise<string> => {
      await run(fetch)
      return readFileSync(join(directory, 'reviewer.jwt'), 'utf8')
    }
    await expect.poll(read, { timeout: 60_000 }).toMatch(/^ey[\w-]+\.[\w-]+\.[\w-]+$/)
    const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token: await read() } }
    const { body } = await kube.request('POST', '/apis/authentication.k8s.io/v1/tokenreviews', review)
    const username = 'system:serviceaccount:kube-system:vault-token-reviewer'
    expect(body).toMatchObject({ status: { authenticated: true, user: { username } } })
  }, 180_000)

  it('monitoring.md: the rules and the dashboard, and links to a runbook of your own', async () => {
    await run('kubectl create namespace monitoring')
    // The Prometheus operator's own says more of its fields; which they are is held by promtool (test/integration/monitoring).
    await createRuleKind(kube)
    await expect
      .poll(async () => (await kube.request('GET', '/apis/monitoring.coreos.com/v1/prometheusrules')).status, {
        timeout: 60_000,
      })
      .toBe(200)
    await run(shellBlock('docs/monitoring.md', 'apply -n monitoring -k'))
    const rules = '/apis/monitoring.coreos.com/v1/namespaces/monitoring/prometheusrules/calico-vault-agent'
    expect((await get(rules)).spec).toEqual(readRules())
    const dashboard = await get('/api/v1/namespaces/monitoring/configmaps/calico-vault-agent-dashboard')
    expect(JSON.parse(dashboard.data?.['calico-vault-agent.json'] ?? '')).toEqual(readDashboard())
    await run(shellBlock('docs/monitoring.md', 'wiki.example.org'))
    const links = JSON.stringify((await get(rules)).spec).match(/"runbook_url":"[^"]*/g) ?? []
    expect(links.length).toBeGreaterThan(20)
    for (const link of links)
      expect(link).toMatch(/^"runbook_url":"https:\/\/wiki\.example\.org\/calico-vault-agent\/runbook#/)
  }, 180_000)

  it('what the documents name in sentences', async () => {
    await runNamed('cluster-path', async (commands, here) => {
      return await runCommands(commands, { directory, env: environment(), here })
    })
    const { spec } = await inNamespace('daemonsets', 'calico-node')
    const { metadata } = spec?.['template'] as PodTemplate
    expect(metadata?.annotations).toHaveProperty(['kubectl.kubernetes.io/restartedAt'])
    if (hasPromtool) {
      const checked = await runPromtool(['check', 'rules', join(directory, 'calico-vault-agent.rules.yaml')])
      expect(checked).toContain('SUCCESS')
    }
  }, 180_000)
})

/** Of the control plane, the one that fills Secrets of service accounts. */
function startTokenController(kube: KubeApiserver, directory: string): ChildServer {
  const kubeconfig = join(directory, 'kubeconfig')
  const cluster = { server: kube.url, 'certificate-authority-data': Buffer.from(kube.caPem).toString('base64') }
  const user = {
    'client-certificate-data': Buffer.from(kube.adminCertificatePem).toString('base64'),
    'client-key-data': Buffer.from(kube.adminKeyPem).toString('base64'),
  }
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'here', cluster }],
    users: [{ name: 'here', user }],
    contexts: [{ name: 'here', context: { cluster: 'here', user: 'here' } }],
    'current-context': 'here',
  }
  writeFileSync(kubeconfig, JSON.stringify(config), { mode: 0o600 })
  return spawnServer({
    name: 'kube-controller-manager',
    path: requireServer('kubernetes').path,
    args: [
      'kube-controller-manager',
      `--kubeconfig=${kubeconfig}`,
      '--leader-elect=false',
      '--bind-address=127.0.0.1',
      '--secure-port=0',
      '--controllers=serviceaccount-token-controller',
      `--service-account-private-key-file=${join(kube.directory, 'sa-key.pem')}`,
      `--root-ca-file=${join(kube.directory, 'ca.pem')}`,
    ],
  })
}

async function createRuleKind(kube: KubeApiserver): Promise<void> {
  const { status, body } = await kube.request('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'prometheusrules.monitoring.coreos.com' },
    spec: {
      group: 'monitoring.coreos.com',
      names: { kind: 'PrometheusRule', plural: 'prometheusrules' },
      scope: 'Namespaced',
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
        },
      ],
    },
  })
  expect({ status, body }).toMatchObject({ status: 201 })
}

/** What the reader has: kubectl for this cluster, an editor and somebody at it, and docker, of which only the image's name is looked at. */
function makePrograms(directory: string): void {
  const bin = join(directory, 'bin')
  mkdirSync(bin)
  const own = {
    'kustomization.yaml': fencedBlock('docs/install.md', 'yaml', '# my-cluster/kustomization.yaml'),
    'settings.env': 'VAULT_ADDR=https://vault.site:8200\nAGENT_CLUSTER=site\n',
    'vault-ca.pem': 'the CA of Vault',
  }
  mkdirSync(join(directory, 'written'))
  for (const [name, text] of Object.entries(own)) writeFileSync(join(directory, 'written', name), text)
  const programs: Readonly<Record<string, string>> = {
    editor: `cp '${directory}'/written/* "$(dirname "$1")"`,
    docker: `echo "$*" >> '${directory}/docker.log'`,
    kubectl: `exec /usr/bin/env PATH="\${PATH#*:}" kubectl --kubeconfig='${directory}/kubeconfig' "$@"`,
  }
  for (const [name, script] of Object.entries(programs)) {
    writeFileSync(join(bin, name), `#!/bin/bash\nset -e\n${script}\n`)
    chmodSync(join(bin, name), 0o755)
  }
}
