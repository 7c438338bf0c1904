/** What the development Vault has and Vault has not: faults, the record of requests, an injected clock, a process of its own. */
import { X509Certificate } from 'node:crypto'
import { access } from 'node:fs/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createCsr } from '../support/csr.ts'
import { type DevVault, startDevVault } from '../support/dev-vault/dev-vault.ts'
import { startDevVaultProcess } from '../support/dev-vault/process.ts'
import { createServiceAccountIssuer } from '../support/service-account.ts'
import { type VaultApi, vaultApi } from '../support/vault-api.ts'
import { setUpVault } from '../support/vault-setup.ts'

const day = 86_400_000
let nowMs = Date.now()
let vault: DevVault
let api: VaultApi

beforeEach(async () => {
  nowMs = Date.now()
  vault = await startDevVault({ now: () => nowMs })
  api = vaultApi(vault)
})

afterEach(async () => {
  api.close()
  await vault.stop()
})

const health = async () => await api.call('GET', 'sys/health')

test('a fault meets the requests that match, as often as it says', async () => {
  vault.faults.inject({ match: 'sys/', times: 2, status: 502, body: 'bad gateway', headers: { 'X-Fault': 'yes' } })
  const first = await health()
  expect([first.status, first.text, first.headers['x-fault']]).toEqual([502, 'bad gateway', 'yes'])
  expect((await api.call('GET', 'pki/issuers?list=true')).status).toBe(403)
  expect((await health()).status).toBe(502)
  expect((await health()).status).toBe(200)
})

test('a fault ends when it is removed', async () => {
  const remove = vault.faults.inject({ match: ({ method }) => method === 'GET', status: 500 })
  expect((await health()).status).toBe(500)
  remove()
  expect((await health()).status).toBe(200)
})

test('an answer is cut, the connection reset, and a request never answered', async () => {
  vault.faults.inject({ times: 1, truncate: 10 })
  await expect(health()).rejects.toThrow(/aborted|hang up|ECONNRESET/)
  vault.faults.inject({ times: 1, reset: true })
  await expect(health()).rejects.toThrow(/ECONNRESET/)
  vault.faults.inject({ times: 1, hang: true })
  const met = vault.nextRequest()
  const hanging = health().catch((error: unknown) => error)
  expect(await met).toMatchObject({ method: 'GET', path: 'sys/health', status: 0 })
  api.close()
  expect(await hanging).toBeInstanceOf(Error)
})

test('an answer is redirected, too large, late, or from another time', async () => {
  vault.faults.inject({ times: 1, redirect: 'https://127.0.0.1:1/v1/sys/health' })
  const redirected = await health()
  expect([redirected.status, redirected.headers.location]).toEqual([307, 'https://127.0.0.1:1/v1/sys/health'])
  vault.faults.inject({ times: 1, oversize: 2_000_000 })
  expect((await health()).text).toHaveLength(2_000_000)
  vault.faults.inject({ times: 1, latencyMs: 5, dateOffsetSeconds: -3600 })
  const late = await health()
  expect(late.status).toBe(200)
  expect(Date.parse(late.headers.date ?? '')).toBe(Math.floor((nowMs - 3_600_000) / 1000) * 1000)
})

test('requests are recorded without what they carried', async () => {
  const listed = vault.nextRequest(({ method }) => method === 'LIST')
  await health()
  await api.call('GET', 'pki/issuers?list=true', undefined, { token: vault.rootToken })
  expect(await listed).toEqual({ method: 'LIST', path: 'pki/issuers', status: 404, atMs: nowMs })
  expect(vault.requests.all.map(({ path }) => path)).toEqual(['sys/health', 'pki/issuers'])
  expect(vault.requests.to('pki/')).toHaveLength(1)
  vault.requests.clear()
  expect(vault.requests.all).toEqual([])
})

test('tokens, certificates and service-account tokens follow the clock that is injected', async () => {
  const accounts = createServiceAccountIssuer({ now: () => nowMs })
  await setUpVault(vault, { ttl: '12h', jwt: { issuer: accounts.issuer, publicKeyPem: accounts.publicKeyPem } })
  nowMs += 10 * day
  const { csrPem: csr } = await createCsr()
  const login = await api.call('POST', 'auth/jwt/login', { role: 'calico-node', jwt: accounts.token() })
  const token = login.body.auth?.client_token ?? ''
  const body = { csr, common_name: 'calico-node:node1', exclude_cn_from_sans: true }
  const { body: signed } = await api.call('POST', 'pki/sign/calico-node', body, { token })
  const leaf = new X509Certificate(String(signed.data?.['certificate']))
  expect(leaf.validToDate.getTime()).toBe(Math.floor((nowMs + day / 2) / 1000) * 1000)
  nowMs += 15 * 60_000
  expect((await api.call('POST', 'pki/sign/calico-node', body, { token })).status).toBe(403)
})

test('nodes have an entity each', async () => {
  const accounts = createServiceAccountIssuer({ now: () => nowMs })
  await setUpVault(vault, { jwt: { issuer: accounts.issuer, publicKeyPem: accounts.publicKeyPem } })
  for (const node of ['node1', 'node2', 'node1']) {
    await api.call('POST', 'auth/jwt/login', { role: 'calico-node', jwt: accounts.token({ node }) })
  }
  expect(vault.entityCount()).toBe(2)
})

test('in a process of its own it is set up, counts its requests, and takes everything with it', async () => {
  const other = await startDevVaultProcess({ nodes: ['node7'] })
  const file = other.tokenFile('node7')
  await access(file)
  expect(await other.requestCount()).toBe(0)
  await other.stop()
  await expect(access(file)).rejects.toThrow('ENOENT')
})
