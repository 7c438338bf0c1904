/**
 * Proves the agent with what a kubelet would give it: a pod-bound token of a real kube-apiserver, judged in both ways by a Vault
 * that setup-vault has set up for this API server.
 */
import { createPublicKey, type JsonWebKey } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { locateServer } from '../../servers/locate.ts'
import { startAgent } from '../../support/agent-in-process.ts'
import { at, type JsonRequest, requestJson } from '../../support/https-json.ts'
import {
  allowAnonymousIssuerDiscovery,
  allowTokenReview,
  createNode,
  createPod,
  createServiceAccount,
  requestToken,
} from '../../support/kube-objects.ts'
import { type KubeApiserver, startKubeApiserver } from '../../support/real-kube-apiserver.ts'
import { createOperator } from '../setup-vault/rig.ts'
import { createTestNode, describeEachVault, type Lab } from './lab.ts'
import { entriesOf, readPublished } from './published.ts'

const etcd = locateServer('etcd')
const program = 'missing' in etcd ? etcd : locateServer('kube-apiserver')
const leftOut = 'missing' in program ? ` (left out: ${program.missing})` : ''
const namespace = 'kube-system'
const audience = 'vault-calico'
const mounts = {
  jwt: { auth: 'jwt-kube', pki: 'pki-jwt-kube' },
  kubernetes: { auth: 'kubernetes-kube', pki: 'pki-kubernetes-kube' },
} as const

describe.skipIf('missing' in program)(`real kube-apiserver${leftOut}`, () => {
  let kube: KubeApiserver
  let keys: string
  beforeAll(async () => {
    kube = await startKubeApiserver()
    for (const name of ['calico-node', 'vault-reviewer']) await createServiceAccount(kube, namespace, name)
    await allowTokenReview(kube, namespace, 'vault-reviewer')
    await allowAnonymousIssuerDiscovery(kube)
    for (const node of ['node1', 'node2']) {
      await createNode(kube, node)
      await createPod(kube, { namespace, name: `calico-node-${node}`, node, serviceAccount: 'calico-node' })
    }
    // The rights are there when the API server has seen them.
    const jwks = { url: `${kube.url}/openid/v1/jwks`, ca: kube.caPem, headers: { accept: '*/*' } }
    keys = await vi.waitFor(async () => await readKeys(jwks), { timeout: 10_000 })
  }, 120_000)
  afterAll(() => kube?.stop())

  const tokenOf = async (node: string): Promise<string> => {
    const pod = `calico-node-${node}`
    return await requestToken(kube, { namespace, serviceAccount: 'calico-node', pod, audiences: [audience] })
  }

  describeEachVault('login', {}, (lab) => {
    let operators: string
    beforeAll(async () => {
      operators = mkdtempSync(join(tmpdir(), 'kube-setup-'))
      // The development Vault asks for JSON, which a real API server does not have of its keys (406).
      const source = lab().isReal ? `url: ${kube.url}, caFile: ca.crt` : 'publicKeyFiles: [sa.pub]'
      await setUp('jwt', `{ issuer: ${kube.issuer}, ${source} }`)
      await setUp('kubernetes', `{ url: ${kube.url}, caFile: ca.crt, reviewerTokenFile: reviewer }`)
    })
    afterAll(() => rmSync(operators, { recursive: true }))

    const setUp = async (method: 'jwt' | 'kubernetes', source: string): Promise<void> => {
      const { auth, pki } = mounts[method]
      const yaml = `cluster: ${method}\nauth: { method: ${method}, mount: ${auth} }\npki: { mount: ${pki} }\nkubernetes: ${source}\n`
      const operator = createOperator(
        { vault: lab().vault, accounts: { publicKeyPem: keys }, directory: operators },
        yaml,
      )
      writeFileSync(join(operator.directory, 'ca.crt'), kube.caPem)
      writeFileSync(
        join(operator.directory, 'reviewer'),
        await requestToken(kube, { namespace, serviceAccount: 'vault-reviewer' }),
      )
      expect(await operator.run('apply', '--yes')).toMatchObject({ code: 0, stderr: '' })
    }

    it('by jwt, with the keys of the API server: the node gets its own name', async () => {
      const { environment, directory } = nodeWith(lab(), await tokenOf('node1'), byJwt)
      const agent = await startAgent(environment)
      await agent.nextEvent('published')
      expect(readPublished(directory).commonName).toBe('calico-node:node1')
      expect(await agent.metric('service_account_token_expiry_timestamp_seconds')).toBeGreaterThan(Date.now() / 1000)
    })

    it('by jwt: the token of another node gets nothing', async () => {
      const { environment, directory } = nodeWith(lab(), await tokenOf('node2'), {
        ...byJwt,
        NODE_NAME: 'node2',
        AGENT_COMMON_NAME: 'calico-node:node1',
      })
      const agent = await startAgent(environment)
      expect(await agent.nextEvent('renewal-failed')).toMatchObject({ reason: 'vault-request-refused' })
      expect(entriesOf(directory)).toEqual([])
    })

    it('by jwt: a token that is bound to no pod does not log in', async () => {
      const token = await requestToken(kube, { namespace, serviceAccount: 'calico-node', audiences: [audience] })
      const { environment, directory } = nodeWith(lab(), token, byJwt)
      const agent = await startAgent(environment)
      expect(await agent.nextEvent('renewal-failed')).toMatchObject({ reason: 'vault-login-refused' })
      expect(entriesOf(directory)).toEqual([])
    })

    it('by jwt: a token that is bound to a Node object, and not to a pod, does not log in', async () => {
      // With the claim of a node that its owner has chosen.
      const token = await requestToken(kube, {
        namespace,
        serviceAccount: 'calico-node',
        boundNode: 'node1',
        audiences: [audience],
      })
      const { environment, directory } = nodeWith(lab(), token, byJwt)
      const agent = await startAgent(environment)
      expect(await agent.nextEvent('renewal-failed')).toMatchObject({
        reason: 'vault-login-refused',
        detail: expect.stringContaining('claim "/kubernetes.io/pod/name" is missing') as string,
      })
      expect(entriesOf(directory)).toEqual([])
    })

    it('by kubernetes: the API server reviews the token', async () => {
      const { environment, directory } = nodeWith(lab(), await tokenOf('node1'), byKubernetes)
      const agent = await startAgent(environment)
      await agent.nextEvent('published')
      expect(readPublished(directory).commonName).toBe('calico-node:node1')
    })

    it('by kubernetes: a token that the API server has not signed is refused', async () => {
      const { environment, directory } = nodeWith(lab(), lab().accounts.token(), byKubernetes)
      const agent = await startAgent(environment)
      expect(await agent.nextEvent('renewal-failed')).toMatchObject({ reason: 'vault-login-refused' })
      expect(entriesOf(directory)).toEqual([])
    })
  })
})

const byJwt = { AGENT_AUTH_MOUNT: mounts.jwt.auth, AGENT_PKI_MOUNT: mounts.jwt.pki }
const byKubernetes = {
  AGENT_AUTH_METHOD: 'kubernetes',
  AGENT_AUTH_MOUNT: mounts.kubernetes.auth,
  AGENT_PKI_MOUNT: mounts.kubernetes.pki,
}

function nodeWith(lab: Lab, token: string, env: Readonly<Record<string, string | undefined>>) {
  const node = createTestNode(lab, { env })
  writeFileSync(node.tokenFile, token)
  return node
}

/** The first of the keys that tokens are checked with, as PEM. */
async function readKeys(request: JsonRequest): Promise<string> {
  const { status, body } = await requestJson(request)
  if (status !== 200) throw new Error(`${request.url}: ${status}`)
  const key = createPublicKey({ key: at(body, 'keys', '0') as JsonWebKey, format: 'jwk' })
  return key.export({ type: 'spki', format: 'pem' }).toString()
}
