/** Proves that the real servers which the other integration tests stand on do what those tests take for granted. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type LocatedServer, locateServer, type MissingServer } from '../servers/locate.ts'
import { createCa } from '../support/certificates.ts'
import { etcdAuth } from '../support/etcd-auth.ts'
import { etcdGet, etcdPut } from '../support/etcd-grpc.ts'
import { at } from '../support/https-json.ts'
import {
  allowAnonymousIssuerDiscovery,
  allowTokenReview,
  createNode,
  createPod,
  createServiceAccount,
  requestToken,
} from '../support/kube-objects.ts'
import { type RealEtcd, startRealEtcd, startRealEtcdCluster } from '../support/real-etcd.ts'
import { type KubeApiserver, startKubeApiserver } from '../support/real-kube-apiserver.ts'
import { startRealVault } from '../support/real-vault.ts'
import { type VaultApi, vaultApi } from '../support/vault-api.ts'
import type { VaultServer } from '../support/vault-server.ts'

const vaultProgram = locateServer('vault')
const etcdProgram = locateServer('etcd')
const kubeProgram = 'missing' in etcdProgram ? etcdProgram : locateServer('kube-apiserver')

describe.skipIf('missing' in vaultProgram)(`real Vault${leftOut(vaultProgram)}`, () => {
  let vault: VaultServer
  let api: VaultApi

  beforeAll(async () => {
    vault = await startRealVault()
    api = vaultApi(vault)
  })
  afterAll(async () => {
    api?.close()
    await vault?.stop()
  })

  it('starts with nothing mounted', async () => {
    const { body } = await api.root('GET', 'sys/mounts')
    expect(Object.keys(body.data ?? {}).filter((mount) => /^(pki|kv|secret)/.test(mount))).toEqual([])
  })

  it.each(['approle', 'jwt', 'kubernetes', 'cert'])('enables the auth method %s', async (type) => {
    expect((await api.root('POST', `sys/auth/${type}`, { type })).status).toBe(204)
  })

  it.each([
    ['pki', { type: 'pki' }],
    ['kv1', { type: 'kv', options: { version: '1' } }],
    ['kv2', { type: 'kv', options: { version: '2' } }],
  ])('enables the secrets engine %s', async (path, body) => {
    expect((await api.root('POST', `sys/mounts/${path}`, body)).status).toBe(204)
  })

  it('seals and unseals', async () => {
    expect((await api.call('GET', 'sys/health')).status).toBe(200)
    await vault.seal()
    expect((await api.call('GET', 'sys/health')).status).toBe(503)
    await vault.unseal()
    await expect.poll(async () => (await api.call('GET', 'sys/health')).status).toBe(200)
  })

  it('issues batch tokens', async () => {
    const { body } = await api.root('POST', 'auth/token/create', { type: 'batch', policies: ['default'] })
    expect(body.auth).toMatchObject({ token_type: 'batch', renewable: false })
  })

  it('limits rates, and says so in headers', async () => {
    await api.root('POST', 'sys/quotas/config', { enable_rate_limit_response_headers: true })
    await api.root('POST', 'sys/mounts/limited', { type: 'kv', options: { version: '1' } })
    await api.root('POST', 'sys/quotas/rate-limit/limited', { path: 'limited', rate: 1, interval: '60s' })
    await api.call('GET', 'limited/x', undefined, { token: vault.rootToken })
    const { status, headers } = await api.call('GET', 'limited/x', undefined, { token: vault.rootToken })
    expect(status).toBe(429)
    expect(Number(headers['retry-after'])).toBeGreaterThan(0)
    expect(headers['x-ratelimit-limit']).toBe('1')
  })

  it('sees the client certificate of a login', async () => {
    const ca = await createCa()
    const { certificatePem, privateKeyPem } = await ca.issue({ commonName: 'machine', client: true })
    await api.root('POST', 'sys/auth/cert-login', { type: 'cert' })
    await api.root('POST', 'auth/cert-login/certs/machine', { certificate: ca.certificatePem })
    const identity = { cert: certificatePem, key: privateKeyPem }
    const { status, body } = await api.call('POST', 'auth/cert-login/login', { name: 'machine' }, identity)
    expect(status).toBe(200)
    expect(body.auth).toMatchObject({ metadata: { common_name: 'machine' } })
    expect((await api.call('POST', 'auth/cert-login/login', { name: 'machine' })).status).toBe(400)
  })
})

describe.skipIf('missing' in etcdProgram)(`real etcd${leftOut(etcdProgram)}`, () => {
  let etcd: RealEtcd

  beforeAll(async () => {
    etcd = await startRealEtcd()
    const auth = etcdAuth(await etcd.client('root'))
    await auth.addRole('calico')
    await auth.grantPrefix('calico', 'readwrite', '/calico/')
    await auth.addUser('calico-node:node1')
    await auth.grantRole('calico-node:node1', 'calico')
    await auth.addUser('calico-node:node2')
    await auth.enable()
  })
  afterAll(() => etcd?.stop())

  it('lets the common name with the role in, and no further than the role', async () => {
    const node1 = await etcd.client('calico-node:node1')
    expect(await etcdPut(node1, '/calico/key', 'value')).toEqual({ ok: true })
    expect(await etcdGet(node1, '/calico/key')).toEqual({ ok: true, value: 'value' })
    expect(await etcdGet(node1, '/registry/key')).toMatchObject({ ok: false, code: 7 })
  })

  it.each(['calico-node:node2', 'nobody', 'CALICO-NODE:NODE1'])('denies the common name %s', async (name) => {
    expect(await etcdGet(await etcd.client(name), '/calico/key')).toMatchObject({ ok: false, code: 7 })
  })

  it('refuses a certificate of an unknown CA, and none at all', async () => {
    const { endpoint, caPem: ca } = etcd
    const stranger = await createCa()
    const { certificatePem: cert, privateKeyPem: key } = await stranger.issue({ commonName: 'root' })
    expect(await etcdGet({ endpoint, ca, cert, key }, '/calico/key')).toMatchObject({ ok: false, code: 'tls' })
    expect(await etcdGet({ endpoint, ca }, '/calico/key')).toMatchObject({ ok: false, code: 'tls' })
  })

  it('comes back after a kill with its data, trusting another CA, under another certificate', async () => {
    const [serverCa, clientCa] = [await createCa({ commonName: 'server' }), await createCa({ commonName: 'client' })]
    const issued = await clientCa.issue({ commonName: 'calico-node:node1' })
    const node1 = () => ({
      endpoint: etcd.endpoint,
      ca: etcd.caPem,
      cert: issued.certificatePem,
      key: issued.privateKeyPem,
    })
    await etcdPut(await etcd.client('calico-node:node1'), '/calico/kept', 'renewal-failed')
    expect(await etcdGet(node1(), '/calico/kept')).toMatchObject({ ok: false, code: 'tls' })
    const before = node1()
    await etcd.kill()
    expect(await etcdGet(before, '/calico/kept')).toMatchObject({ ok: false, code: 'unreachable' })
    await etcd.restart({ serverCa, clientCaPem: clientCa.certificatePem })
    expect(await etcdGet(node1(), '/calico/kept')).toEqual({ ok: true, value: 'renewal-failed' })
    expect(await etcdGet(before, '/calico/kept')).toMatchObject({ ok: false, code: 'tls' })
  })

  it('runs as a cluster that outlives one member', async () => {
    const members = await startRealEtcdCluster(3)
    const [first, second, third] = members
    if (!first || !second || !third) throw new Error('three members were asked for')
    try {
      expect(await etcdPut(await first.client(), 'key', 'value')).toEqual({ ok: true })
      await third.kill()
      await expect
        .poll(async () => etcdGet(await second.client(), 'key'), { timeout: 10_000 })
        .toEqual({ ok: true, value: 'value' })
    } finally {
      await Promise.all(members.map((member) => member.stop()))
    }
  })
})

describe.skipIf('missing' in kubeProgram)(`real kube-apiserver${leftOut(kubeProgram)}`, () => {
  const audience = 'vault-calico'
  const pod = { namespace: 'kube-system', name: 'calico-node-node1', node: 'node1', serviceAccount: 'calico-node' }
  let kube: KubeApiserver
  let token: string

  beforeAll(async () => {
    kube = await startKubeApiserver()
    await createServiceAccount(kube, pod.namespace, pod.serviceAccount)
    await createNode(kube, pod.node)
    await createPod(kube, pod)
    token = await requestToken(kube, { ...pod, pod: pod.name, audiences: [audience] })
  }, 120_000)
  afterAll(() => kube?.stop())

  it('issues a pod-bound token that names the node', () => {
    const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
    expect(claims).toMatchObject({
      iss: kube.issuer,
      aud: [audience],
      sub: 'system:serviceaccount:kube-system:calico-node',
      'kubernetes.io': { node: { name: pod.node }, pod: { name: pod.name } },
    })
  })

  it('reviews the token for its audience and for no other', async () => {
    const review = async (audiences: string[]) => {
      const path = '/apis/authentication.k8s.io/v1/tokenreviews'
      return (await kube.request('POST', path, { spec: { token, audiences } })).body
    }
    expect(at(await review([audience]), 'status', 'authenticated')).toBe(true)
    expect(at(await review(['another']), 'status', 'authenticated')).toBeUndefined()
  })

  it.skipIf('missing' in vaultProgram)(
    `logs in to Vault by jwt and by kubernetes${leftOut(vaultProgram)}`,
    async () => {
      await createServiceAccount(kube, 'kube-system', 'vault-reviewer')
      await allowTokenReview(kube, 'kube-system', 'vault-reviewer')
      await allowAnonymousIssuerDiscovery(kube)
      const reviewer = await requestToken(kube, { namespace: 'kube-system', serviceAccount: 'vault-reviewer' })
      const vault = await startRealVault()
      const api = vaultApi(vault)
      try {
        await api.root('POST', 'sys/auth/jwt', { type: 'jwt' })
        const jwks = { jwks_url: `${kube.url}/openid/v1/jwks`, jwks_ca_pem: kube.caPem, bound_issuer: kube.issuer }
        await expect.poll(async () => (await api.root('POST', 'auth/jwt/config', jwks)).status).toBe(204)
        await api.root('POST', 'auth/jwt/role/node', {
          role_type: 'jwt',
          bound_audiences: [audience],
          user_claim: '/kubernetes.io/node/name',
          user_claim_json_pointer: true,
        })
        expect((await api.call('POST', 'auth/jwt/login', { role: 'node', jwt: token })).status).toBe(200)

        await api.root('POST', 'sys/auth/kubernetes', { type: 'kubernetes' })
        await api.root('POST', 'auth/kubernetes/config', {
          kubernetes_host: kube.url,
          kubernetes_ca_cert: kube.caPem,
          token_reviewer_jwt: reviewer,
          disable_local_ca_jwt: true,
        })
        await api.root('POST', 'auth/kubernetes/role/node', {
          bound_service_account_names: [pod.serviceAccount],
          bound_service_account_namespaces: [pod.namespace],
          audience,
        })
        expect((await api.call('POST', 'auth/kubernetes/login', { role: 'node', jwt: token })).status).toBe(200)
      } finally {
        api.close()
        await vault.stop()
      }
    },
  )
})

/** The reason for a skip belongs in the report. */
function leftOut(program: LocatedServer | MissingServer): string {
  return 'missing' in program ? ` (left out: ${program.missing})` : ''
}
