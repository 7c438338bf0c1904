/**
 * Owns the whole stack that `doctor` is tried on: a real Vault, a real etcd whose users `provision` has made, pod-bound tokens of a
 * real kube-apiserver (or, where that is not built, tokens of the same shape), and `doctor` itself as a process.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { vi } from 'vitest'
import { locateServer } from '../../servers/locate.ts'
import { createCa } from '../../support/certificates.ts'
import { type Ended, type RunOptions, runCommand } from '../../support/command.ts'
import { type EtcdAuth, etcdAuth } from '../../support/etcd-auth.ts'
import { requestJson } from '../../support/https-json.ts'
import {
  allowAnonymousIssuerDiscovery,
  createNode,
  createPod,
  createServiceAccount,
  requestToken,
} from '../../support/kube-objects.ts'
import { type RealEtcd, startRealEtcd } from '../../support/real-etcd.ts'
import { startKubeApiserver } from '../../support/real-kube-apiserver.ts'
import { startRealVault } from '../../support/real-vault.ts'
import { createServiceAccountIssuer } from '../../support/service-account.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { type VaultApi, vaultApi } from '../../support/vault-api.ts'
import type { VaultServer } from '../../support/vault-server.ts'
import { setUpVault } from '../../support/vault-setup.ts'
import type { JwtSetup } from '../../support/vault-setup-auth.ts'
import { changed } from '../agent/lab.ts'
import { operatorFiles } from '../etcd/rig.ts'

const namespace = 'kube-system'
const audience = 'vault-calico'
const serviceAccount = 'calico-node'
/** The user that the certificate of node1 is. */
export const user = 'calico-node:node1'

const [vaultProgram, etcdProgram, kubeProgram] = ['vault', 'etcd', 'kube-apiserver'].map((name) =>
  locateServer(name as 'vault' | 'etcd' | 'kube-apiserver'),
)
const missingOf = (program: typeof vaultProgram): string | undefined =>
  program !== undefined && 'missing' in program ? program.missing : undefined

/** Why there is no stack here. */
export const stackMissing = missingOf(vaultProgram) ?? missingOf(etcdProgram)
const hasKube = missingOf(kubeProgram) === undefined
export const stackName = `real Vault, real etcd, ${hasKube ? 'tokens of a real kube-apiserver' : `made tokens (${missingOf(kubeProgram)})`}${
  stackMissing === undefined ? '' : ` (left out: ${stackMissing})`
}`

export interface TokenWish {
  /** Default: node1. */
  readonly node?: string
  /** Default: that of Vault. */
  readonly audiences?: readonly string[]
}

export interface Stack {
  readonly vault: VaultServer
  readonly api: VaultApi
  readonly etcd: RealEtcd
  readonly auth: EtcdAuth
  readonly rootPem: string
  readonly token: (wish?: TokenWish) => Promise<string>
  stop(): Promise<void>
}

export async function startStack(): Promise<Stack> {
  const [vault, cluster] = await Promise.all([startRealVault(), hasKube ? startCluster() : makeAccounts()])
  const { rootPem } = await setUpVault(vault, { jwt: cluster.jwt })
  const api = vaultApi(vault)
  await allowCapabilities(api, ['update'])
  const etcd = await startRealEtcd({
    clientCaPem: `${rootPem}\n`,
    serverCa: await createCa({ commonName: 'etcd servers' }),
  })
  const root = await etcd.client('root')
  const operator = operatorFiles(root)
  const provision = ['apply', '--naming', 'node', '--nodes', 'node1', '--components', 'calico-node', '--enable-auth']
  const { code, stderr } = await operator.provision([...provision, '--yes'], {
    // The pods are not told.
    env: { AGENT_CALICO_VERSION: 'v3.32.1' },
  })
  operator.remove()
  if (code !== 0) throw new Error(`provision ended with ${code}: ${stderr}`)
  return {
    vault,
    api,
    etcd,
    auth: etcdAuth(root),
    rootPem,
    token: cluster.token,
    async stop() {
      api.close()
      await Promise.all([vault.stop(), etcd.stop(), cluster.stop()])
    },
  }
}

/** The recommended policy, and the question that `doctor` asks besides. */
export async function allowCapabilities(api: VaultApi, capabilities: readonly string[]): Promise<void> {
  const path = { 'pki/sign/calico-node': { capabilities }, 'sys/capabilities-self': { capabilities: ['update'] } }
  await api.root('PUT', 'sys/policies/acl/calico-node-pki', { policy: JSON.stringify({ path }) })
}

interface Cluster {
  readonly jwt: JwtSetup
  readonly token: (wish?: TokenWish) => Promise<string>
  stop(): Promise<void>
}

async function startCluster(): Promise<Cluster> {
  const kube = await startKubeApiserver()
  await createServiceAccount(kube, namespace, serviceAccount)
  await allowAnonymousIssuerDiscovery(kube)
  for (const node of ['node1', 'node2']) {
    await createNode(kube, node)
    await createPod(kube, { namespace, name: `calico-node-${node}`, node, serviceAccount })
  }
  const jwksUrl = `${kube.url}/openid/v1/jwks`
  // The rights are there when the API server has seen them.
  await vi.waitFor(
    async () => {
      const { status } = await requestJson({ url: jwksUrl, ca: kube.caPem, headers: { accept: '*/*' } })
      if (status !== 200) throw new Error(`${jwksUrl}: ${status}`)
    },
    { timeout: 10_000 },
  )
  return {
    jwt: { issuer: kube.issuer, jwksUrl, jwksCaPem: kube.caPem },
    token: ({ node = 'node1', audiences = [audience] } = {}) =>
      requestToken(kube, { namespace, serviceAccount, pod: `calico-node-${node}`, audiences }),
    stop: () => kube.stop(),
  }
}

async function makeAccounts(): Promise<Cluster> {
  const accounts = createServiceAccountIssuer()
  const { issuer, publicKeyPem } = accounts
  return {
    jwt: { issuer, publicKeyPem },
    token: async ({ node = 'node1', audiences = [audience] } = {}) => accounts.token({ node, audience: audiences }),
    stop: async () => {},
  }
}

export interface Patient {
  readonly root: string
  readonly directory: string
  readonly tokenFile: string
  /** Of an agent on node1 that is configured well. */
  readonly environment: Readonly<Record<string, string>>
}

/** An empty directory in memory, a token and the environment; gone after the test. */
export async function createPatient(stack: Stack): Promise<Patient> {
  const root = tempDir()
  const directory = join(root, 'secrets')
  const tokenFile = join(root, 'token')
  mkdirSync(directory)
  writeFileSync(tokenFile, await stack.token())
  const environment = {
    VAULT_ADDR: stack.vault.address,
    VAULT_CACERT: stack.vault.caFile,
    NODE_NAME: 'node1',
    AGENT_AUTH_METHOD: 'jwt',
    AGENT_AUTH_TOKEN_FILE: tokenFile,
    AGENT_DIR: directory,
    AGENT_ETCD_CA_FILE: stack.etcd.caFile,
    ETCD_ENDPOINTS: stack.etcd.endpoint,
  }
  return { root, directory, tokenFile, environment }
}

export interface DoctorRun extends Omit<RunOptions, 'env'> {
  readonly args?: readonly string[]
  /** Set over the environment, or taken away where undefined. */
  readonly env?: Readonly<Record<string, string | undefined>>
}

export function runDoctor({ environment }: Patient, { args = [], env = {}, ...options }: DoctorRun): Promise<Ended> {
  return runCommand(['doctor', ...args], { ...options, env: changed(environment, env) })
}

/** A finding as `--output json` shows it. */
export interface ShownCheck {
  readonly check: string
  readonly status: 'ok' | 'warning' | 'failure' | 'skipped'
  readonly saw: readonly string[]
  readonly reason?: string
  readonly advice?: string
  readonly see?: string
}

export function checksOf({ stdout, stderr }: Ended): readonly ShownCheck[] {
  if (stderr !== '') throw new Error(stderr)
  return (JSON.parse(stdout) as { checks: ShownCheck[] }).checks
}
