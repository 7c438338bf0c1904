/**
 * What docs/install.md has applied to the cluster before `setup-vault apply` is what a real Vault needs of a real API server: without it
 * Vault refuses, after it pods log in. Both methods, with the files and in the order of the document.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { createOperator, type Operator } from '../integration/setup-vault/rig.ts'
import { locateServer } from '../servers/locate.ts'
import { commandsOf, shellBlock } from '../support/documents.ts'
import { createNode, createPod, createServiceAccount, requestToken } from '../support/kube-objects.ts'
import { type KubeApiserver, startKubeApiserver } from '../support/real-kube-apiserver.ts'
import { type RealVault, startRealVault } from '../support/real-vault.ts'
import { type VaultApi, vaultApi } from '../support/vault-api.ts'
import { type KubeObject, pathOf } from './objects.ts'

const root = join(import.meta.dirname, '../..')
const install = readFileSync(join(root, 'docs/install.md'), 'utf8')
const servers = (['etcd', 'kube-apiserver', 'vault'] as const).map((name) => locateServer(name))
const missing = servers.find((program) => 'missing' in program)
const leftOut = missing !== undefined && 'missing' in missing ? ` (left out: ${missing.missing})` : ''
const namespace = 'kube-system'

describe.skipIf(missing !== undefined)(`Vault and the API server${leftOut}`, () => {
  let kube: KubeApiserver
  let vault: RealVault
  let api: VaultApi
  let directory: string
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'vault-access-'))
    kube = await startKubeApiserver()
    vault = await startRealVault()
    api = vaultApi(vault)
    await createNode(kube, 'node1')
    await createServiceAccount(kube, namespace, 'calico-node')
    await createPod(kube, { namespace, name: 'calico-node-x', node: 'node1', serviceAccount: 'calico-node' })
  }, 120_000)
  afterAll(async () => {
    api?.close()
    await vault?.stop()
    await kube?.stop()
    rmSync(directory, { recursive: true })
  })

  /** manifests/vault/setup-vault.yaml with its four lines changed, as the document says. */
  function operatorOf(last = `issuer: ${kube.issuer}`): Operator {
    const yaml = readFileSync(join(root, 'manifests/vault/setup-vault.yaml'), 'utf8')
      .replace(/url: .*/, `url: ${kube.url}`)
      .replace(/issuer: .*/, last)
    const operator = createOperator({ vault, directory, accounts: { publicKeyPem: '' } }, yaml)
    writeFileSync(join(operator.directory, 'ca.crt'), kube.caPem)
    return operator
  }

  /** `kubectl apply -f FILE`. */
  async function apply(file: string): Promise<void> {
    for (const document of parseAllDocuments(readFileSync(join(root, file), 'utf8'))) {
      const object = document.toJS() as KubeObject
      const { status, body } = await kube.request('POST', pathOf(object).replace(/\/[^/]+$/, ''), object)
      expect({ status, body }).toMatchObject({ status: 201 })
    }
  }

  /** What the kubelet would project into calico-node's pod, shown to Vault. */
  async function login(method: string): Promise<number> {
    const pod = { namespace, serviceAccount: 'calico-node', pod: 'calico-node-x' }
    const jwt = await requestToken(kube, { ...pod, audiences: ['vault-calico'] })
    return (await api.call('POST', `auth/${method}/login`, { role: 'calico-node', jwt })).status
  }

  it('jwt: Vault refuses as long as it cannot read the keys, and takes all after the file that the document names', async () => {
    const operator = operatorOf()
    const early = await operator.run('apply', '--yes')
    expect(early).toMatchObject({ code: 69, stderr: expect.stringContaining('error checking jwks URL') as string })
    const commands = commandsOf(shellBlock('docs/install.md', 'issuer-discovery.yaml'))
    const applied = commands.findIndex((line) => line.startsWith('kubectl apply -f '))
    expect(applied).toBeLessThan(commands.findIndex((line) => line.includes('setup-vault plan')))
    await apply(commands[applied]?.replace('kubectl apply -f ', '') ?? '')
    // The binding holds once the API server has seen it.
    await expect.poll(async () => (await operator.run('apply', '--yes')).code, { timeout: 60_000 }).toBe(0)
    expect(await operator.run('plan')).toMatchObject({ code: 0 })
    expect(await login('jwt')).toBe(200)
  }, 120_000)

  it('kubernetes: the account that the document names may review tokens', async () => {
    const [line = ''] = commandsOf(shellBlock('docs/install.md', 'token-reviewer.yaml'))
    await apply(line.replace('kubectl apply -f ', ''))
    const file = 'reviewer.jwt'
    expect(install).toContain(`reviewerTokenFile: ${file}`)
    // A control plane would fill the Secret; this API server is alone.
    const last = `reviewerTokenFile: ${file}\nauth: { method: kubernetes }\npki: { mount: pki-kubernetes }`
    const operator = operatorOf(last)
    const token = await requestToken(kube, { namespace, serviceAccount: 'vault-token-reviewer' })
    writeFileSync(join(operator.directory, file), token)
    expect(await operator.run('apply', '--yes')).toMatchObject({ code: 0, stderr: '' })
    await expect.poll(async () => await login('kubernetes'), { timeout: 60_000 }).toBe(200)
  }, 120_000)
})
