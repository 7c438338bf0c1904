import { spawnSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { afterEach, expect, test, vi } from 'vitest'
import { AgentError } from '../../../agent/core/errors.ts'
import { Secret } from '../../../agent/core/secret.ts'
import { createVaultApi, tokenHeader, type VaultApi } from '../../../agent/vault/client.ts'
import type { VaultRequest } from '../../../agent/vault/transport.ts'
import { createCa } from '../../support/certificates.ts'
import { withDamagedKey, withUnknownAlgorithm } from '../../support/damaged.ts'

const ca = await createCa()

afterEach(() => {
  vi.unstubAllEnvs()
})

/** An api over a transport that answers with these bodies, one after the other. */
function apiWith(bodies: readonly unknown[], namespace?: string): { api: VaultApi; sent: VaultRequest[] } {
  const sent: VaultRequest[] = []
  const request = (asked: VaultRequest) => {
    sent.push(asked)
    const body = bodies[sent.length - 1]
    return body instanceof Error ? Promise.reject(body) : Promise.resolve({ status: 200, headers: {}, body })
  }
  return { api: createVaultApi({ request, hold: () => () => {}, destroy: () => {} }, namespace), sent }
}

const issuerBody = { data: { certificate: ca.certificatePem.trim() } }
const issuerList = (...keys: readonly string[]) => ({ data: { keys } })
const auth = { auth: { client_token: 'hvs.new', lease_duration: 900, renewable: false } }

test('login', async () => {
  const { api, sent } = apiWith([auth])
  const token = await api.login('jwt/prod', { role: 'calico-node', jwt: 'a.b.c' })
  expect(token.token.reveal()).toBe('hvs.new')
  expect(sent).toEqual([
    {
      operation: 'login',
      method: 'POST',
      path: '/v1/auth/jwt/prod/login',
      headers: { 'X-Vault-Request': 'true' },
      json: { role: 'calico-node', jwt: 'a.b.c' },
    },
  ])
})

test('sign asks for exactly the name, by the credentials it was given', async () => {
  const { api, sent } = apiWith([{ data: { certificate: 'LEAF', ca_chain: ['CA'] } }])
  const request = { mount: 'pki', role: 'calico-node', commonName: 'calico-node:node1', csr: 'CSR', ttlSeconds: 86_400 }
  const signed = await api.sign(request, tokenHeader(new Secret('hvs.held')))
  expect(signed).toEqual({ certificate: 'LEAF', chain: ['CA'] })
  expect(sent[0]).toEqual({
    operation: 'sign',
    method: 'POST',
    path: '/v1/pki/sign/calico-node',
    headers: { 'X-Vault-Token': 'hvs.held', 'X-Vault-Request': 'true' },
    json: { csr: 'CSR', common_name: 'calico-node:node1', ttl: '86400s', exclude_cn_from_sans: true },
  })
})

const always = (): boolean => true

test('issuers that take longer than there is time for: what was read stays, and the next call goes on', async () => {
  const ids = Array.from({ length: 500 }, (_, each) => `i${each}`)
  const { api, sent } = apiWith([
    issuerList(...ids),
    ...Array.from({ length: 300 }, () => issuerBody),
    issuerList(...ids),
    ...Array.from({ length: 200 }, () => issuerBody),
  ])
  const known = new Map<string, X509Certificate>()
  let left = 300
  await expect(api.issuers('pki', known, () => left-- > 0)).rejects.toMatchObject({
    code: 'vault-timeout',
    message: 'pki/issuers: 300 of 500 issuers are read',
  })
  await api.issuers('pki', known, always)
  expect(known.size).toBe(500)
  expect(sent).toHaveLength(502)
})

test('a mount with more issuers than a CA set should have is refused before one is read', async () => {
  const { api, sent } = apiWith([issuerList(...Array.from({ length: 2000 }, (_, each) => `i${each}`))])
  await expect(api.issuers('pki', new Map(), always)).rejects.toMatchObject({
    code: 'vault-answer-too-large',
    message: expect.stringContaining('2000 issuers'),
  })
  expect(sent).toHaveLength(1)
})

test('issuers: the list, then each one that is not known yet', async () => {
  const { api, sent } = apiWith([issuerList('a', 'b'), issuerBody, issuerBody, issuerList('b', 'c'), issuerBody])
  const known = new Map<string, X509Certificate>()
  await api.issuers('pki', known, always)
  expect([...known.keys()]).toEqual(['a', 'b'])
  expect(known.get('a')?.fingerprint256).toBe(new X509Certificate(ca.certificatePem).fingerprint256)
  const before = known.get('b')
  await api.issuers('pki', known, always)
  // a is no longer in the mount.
  expect([...known.keys()]).toEqual(['b', 'c'])
  expect(known.get('b')).toBe(before)
  expect(sent.map(({ method, path }) => `${method} ${path}`)).toEqual([
    'GET /v1/pki/issuers?list=true',
    'GET /v1/pki/issuer/a/json',
    'GET /v1/pki/issuer/b/json',
    'GET /v1/pki/issuers?list=true',
    'GET /v1/pki/issuer/c/json',
  ])
  expect(sent.every(({ headers, json }) => !('X-Vault-Token' in headers) && json === undefined)).toBe(true)
})

test.each([
  ['no PEM', 'there is nothing'],
  ['PEM that is cut off', '-----BEGIN CERTIFICATE-----\nAAAA\n'],
])('an issuer that is %s', async (_name, certificate) => {
  const { api } = apiWith([issuerList('a'), { data: { certificate } }])
  await expect(api.issuers('pki', new Map(), always)).rejects.toMatchObject({
    code: 'vault-bad-answer',
    message: expect.stringMatching(/^pki\/issuer\/a\/json: /),
  })
})

test.each([
  ['garbage', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----', /PEM certificate 1: /],
  ['a point off its curve', withDamagedKey(ca.certificatePem), /public key cannot be decoded.*\(CN=/],
  ['an unknown algorithm', withUnknownAlgorithm(ca.certificatePem), /public key cannot be decoded.*\(CN=/],
])(
  'an issuer that cannot be used (%s) is left out and named; it is asked for again, as it may be mended',
  async (_name, certificate, why) => {
    const { api, sent } = apiWith([issuerList('a', 'b'), { data: { certificate } }, issuerBody])
    const { certificates, unusable } = await api.issuers('pki', new Map(), always)
    expect([...certificates.keys()]).toEqual(['b'])
    expect(unusable).toEqual([expect.stringMatching(/^pki\/issuer\/a\/json: /)])
    expect(unusable[0]).toMatch(why)
    expect(sent).toHaveLength(3)
  },
)

test('lookup and renewal of a token', async () => {
  const { api, sent } = apiWith([{ data: { ttl: 60, renewable: true } }, auth])
  const held = new Secret('hvs.held')
  expect(await api.lookupToken(held)).toEqual({ token: held, ttlSeconds: 60, renewable: true })
  expect((await api.renewToken(held)).token.reveal()).toBe('hvs.new')
  expect(sent.map(({ method, path, headers }) => [method, path, headers['X-Vault-Token']])).toEqual([
    ['GET', '/v1/auth/token/lookup-self', 'hvs.held'],
    ['POST', '/v1/auth/token/renew-self', 'hvs.held'],
  ])
})

test("the transport's errors pass through node-vault as they are", async () => {
  const error = new AgentError('vault-sealed', 'sealed')
  const bug = new TypeError('bug')
  const { api } = apiWith([error, bug])
  await expect(api.login('jwt', {})).rejects.toBe(error)
  await expect(api.login('jwt', {})).rejects.toBe(bug)
})

test('the namespace goes with every request', async () => {
  const { api, sent } = apiWith([auth, issuerList('a'), issuerBody], 'team/calico')
  await api.login('jwt', {})
  await api.issuers('pki', new Map(), always)
  expect(sent.map(({ headers }) => headers['X-Vault-Namespace'])).toEqual(Array(3).fill('team/calico'))
})

test("variables of Vault's own in the environment change nothing", async () => {
  vi.stubEnv('VAULT_TOKEN', 'hvs.CANARY')
  vi.stubEnv('VAULT_NAMESPACE', 'CANARY')
  vi.stubEnv('VAULT_PREFIX', '/CANARY')
  vi.stubEnv('VAULT_ADDR', 'https://CANARY:1')
  const { api, sent } = apiWith([auth, issuerList(), { data: { ttl: 1 } }])
  await api.login('jwt', { role: 'r' })
  await api.issuers('pki', new Map(), always)
  await api.lookupToken(new Secret('hvs.held'))
  expect(JSON.stringify(sent)).not.toContain('CANARY')
  expect(sent.map(({ headers }) => Object.keys(headers).length)).toEqual([1, 1, 2])
})

test('DEBUG=node-vault prints nothing', () => {
  // The variable is read when the library is loaded: a process of its own.
  const script = `
    import { createVaultApi } from './agent/vault/client.ts'
    const body = { auth: { client_token: 'hvs.CANARY', lease_duration: 1 } }
    const request = () => Promise.resolve({ status: 200, headers: {}, body })
    await createVaultApi({ request }, 'CANARY').login('jwt', { jwt: 'CANARY' })
    process.stdout.write('done')`
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module-typescript', '--eval', script], {
    env: { ...process.env, DEBUG: '*,node-vault' },
    encoding: 'utf8',
  })
  expect({ stdout, stderr }).toEqual({ stdout: 'done', stderr: '' })
})
