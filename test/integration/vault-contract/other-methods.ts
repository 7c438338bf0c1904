/** Owns the contract of tokens, approle, the cert method, KV and inline authentication. */
import { expect, test } from 'vitest'
import { createCa } from '../../support/certificates.ts'
import {
  type Contract,
  type Contracted,
  outcome,
  policyDenied,
  readToken,
  sign,
  tokenDenied,
  tokenOf,
  wanted,
} from './contract.ts'

/** Each version has its own words for it. */
const noSuchCertificate =
  /^(no chain matching all constraints could be found for this login certificate|invalid certificate or no client certificate supplied|failed to match all constraints for this login certificate)$/

export function tokenCases(contract: Contracted): void {
  test('a batch token can be looked up, not renewed', async () => {
    const { api } = contract()
    const token = await tokenOf(contract(), 'node1')
    const { body } = await api.call('GET', 'auth/token/lookup-self', undefined, { token })
    expect(body.data).toMatchObject({
      type: 'batch',
      renewable: false,
      id: token,
      policies: ['calico-cni-pki', 'calico-node-pki'],
      ttl: expect.any(Number) as number,
      expire_time: expect.stringMatching(/^\d{4}-/) as string,
    })
    expect(outcome(await api.call('POST', 'auth/token/renew-self', {}, { token }))).toEqual(
      wanted({
        status: 400,
        error: 'batch tokens cannot be renewed',
      }),
    )
  })

  test('a service token is renewed, signs with the weaker role, and ends when it is revoked', async () => {
    const { api, setup } = contract()
    const made = await api.root('POST', 'auth/token/create', {
      policies: [`${setup.weakRole('calico-node')}-pki`],
      ttl: '10m',
    })
    const token = readToken(made)
    expect(made.body.auth).toMatchObject({ token_type: 'service', renewable: true, lease_duration: 600 })
    const renewed = await api.call('POST', 'auth/token/renew-self', { increment: '5m' }, { token })
    expect(renewed.body.auth).toMatchObject({ client_token: token, lease_duration: 300, renewable: true })
    expect(outcome(await signWeak(contract(), token))).toEqual(wanted({ status: 200 }))
    expect(outcome(await api.call('POST', 'auth/token/revoke-self', {}, { token }))).toEqual(wanted({ status: 204 }))
    expect(outcome(await api.call('GET', 'auth/token/lookup-self', undefined, { token }))).toEqual(wanted(tokenDenied))
  })

  test('the set-up’s periodic token works; without a policy for it a token may not renew itself', async () => {
    const { api, setup } = contract()
    const lookup = await api.call('GET', 'auth/token/lookup-self', undefined, { token: setup.token })
    expect(lookup.body.data).toMatchObject({ type: 'service', renewable: true, period: 3600 })
    expect(outcome(await signWeak(contract(), setup.token))).toEqual(wanted({ status: 200 }))
    expect(outcome(await api.call('POST', 'auth/token/revoke-self', {}, { token: setup.token }))).toEqual(
      wanted(policyDenied),
    )
  })

  test('a root token never ends', async () => {
    const { api, vault } = contract()
    const { body } = await api.call('GET', 'auth/token/lookup-self', undefined, { token: vault.rootToken })
    expect(body.data).toMatchObject({ ttl: 0, expire_time: null, policies: ['root'] })
  })

  test('a batch role may not ask for uses or a period', async () => {
    const { api, vault } = contract()
    const role = { user_claim: 'sub', role_type: 'jwt', bound_audiences: ['x'], token_type: 'batch' }
    for (const extra of [{ token_num_uses: 3 }, { token_period: '1h' }]) {
      const body = { ...role, ...extra }
      expect(outcome(await api.call('POST', 'auth/jwt/role/bad', body, { token: vault.rootToken }))).toEqual(
        wanted({
          status: 400,
          error: /^'token_type' cannot be 'batch' or 'default_batch' when set to generate /,
        }),
      )
    }
  })
}

export function machineCases(contract: Contracted): void {
  test('approle: the role id is the node', async () => {
    const { api, setup } = contract()
    const credentials = setup.approle['node1']
    const body = { role_id: credentials?.roleId, secret_id: credentials?.secretId }
    const answer = await api.call('POST', 'auth/approle/login', body)
    const token = readToken(answer)
    expect(answer.body.auth).toMatchObject({ token_type: 'batch', metadata: { role_name: 'node1' } })
    expect(outcome(await sign(contract(), token, 'calico-node:node1'))).toEqual(wanted({ status: 200 }))
    expect(outcome(await sign(contract(), token, 'calico-node:node2'))).toEqual(
      wanted({
        status: 400,
        error: /not allowed by this role$/,
      }),
    )
    expect(outcome(await api.call('POST', 'auth/approle/login', { ...body, secret_id: 'nope' }))).toEqual(
      wanted({
        status: [400, 500],
        error: /^invalid (secret id|role or secret ID)$/,
      }),
    )
    expect(outcome(await api.call('POST', 'auth/approle/login', { ...body, role_id: 'nope' }))).toEqual(
      wanted({
        status: 400,
        error: /^invalid role (ID|or secret ID)$/,
      }),
    )
  })

  test('cert: the common name is the node', async () => {
    const { api, clientCa } = contract()
    const login = async (client?: { certificatePem: string; privateKeyPem: string }) => {
      const pair = client === undefined ? {} : { cert: client.certificatePem, key: client.privateKeyPem }
      return await api.call('POST', 'auth/cert/login', {}, pair)
    }
    const answer = await login(await clientCa.issue({ commonName: 'node1' }))
    const token = readToken(answer)
    expect(answer.body.auth).toMatchObject({ metadata: { cert_name: 'nodes', common_name: 'node1' } })
    expect(outcome(await sign(contract(), token, 'calico-node:node1'))).toEqual(wanted({ status: 200 }))
    expect(outcome(await sign(contract(), token, 'calico-node:node2'))).toEqual(
      wanted({
        status: 400,
        error: /not allowed by this role$/,
      }),
    )
    expect(outcome(await login())).toEqual(
      wanted({
        status: 400,
        error: /^(no client certificate found|client certificate must be supplied)$/,
      }),
    )
    const stranger = await createCa({ commonName: 'Another CA' })
    expect(outcome(await login(await stranger.issue({ commonName: 'node1' })))).toEqual(
      wanted({
        status: 400,
        error: noSuchCertificate,
      }),
    )
    expect(outcome(await login(await clientCa.issue({ commonName: 'other' })))).toEqual(
      wanted({
        status: 400,
        error: noSuchCertificate,
      }),
    )
  })
}

export function secretCases(contract: Contracted): void {
  test('KV version 2', async () => {
    const { api, vault } = contract()
    await api.root('POST', 'sys/mounts/secret', { type: 'kv', options: { version: '2' } })
    await writeWhenReady(contract(), 'secret/data/calico', { data: { 'etcd-cert': 'c' } })
    const read = async (path: string) => await api.call('GET', path, undefined, { token: vault.rootToken })
    expect((await read('secret/data/calico')).body.data).toMatchObject({
      data: { 'etcd-cert': 'c' },
      metadata: { version: 1, destroyed: false, deletion_time: '' },
    })
    const missing = await read('secret/data/nope')
    expect([missing.status, missing.text.trim()]).toEqual([404, '{"errors":[]}'])
    await api.root('DELETE', 'secret/data/calico')
    const deleted = await read('secret/data/calico')
    expect(outcome(deleted)).toEqual(wanted({ status: 404 }))
    expect(deleted.body.data).toMatchObject({ data: null, metadata: { version: 1 } })
    await api.root('POST', 'secret/undelete/calico', { versions: [1] })
    expect((await read('secret/data/calico')).body.data).toMatchObject({ data: { 'etcd-cert': 'c' } })
    await api.root('POST', 'secret/data/calico', { data: { 'etcd-cert': 'd' } })
    await api.root('POST', 'secret/destroy/calico', { versions: [2] })
    const destroyed = await read('secret/data/calico')
    expect(outcome(destroyed)).toEqual(wanted({ status: 404 }))
    expect(destroyed.body.data).toMatchObject({
      data: null,
      metadata: { version: 2, destroyed: true, deletion_time: '' },
    })
    const old = await read('secret/calico')
    expect(outcome(old)).toEqual(wanted({ status: 404 }))
    expect(old.body.warnings?.[0]).toMatch(/^Invalid path for a versioned K\/V secrets engine/)
  })

  test('KV version 1', async () => {
    const { api, vault } = contract()
    await api.root('POST', 'sys/mounts/kv1', { type: 'kv' })
    await api.root('POST', 'kv1/calico', { 'etcd-cert': 'c' })
    expect((await api.root('GET', 'kv1/calico')).body.data).toEqual({ 'etcd-cert': 'c' })
    // What a client that takes the mount for version 2 gets.
    const missing = await api.call('GET', 'kv1/data/calico', undefined, { token: vault.rootToken })
    expect([missing.status, missing.text.trim()]).toEqual([404, '{"errors":[]}'])
  })
}

export function inlineCases(contract: Contracted): void {
  const headersOf = (parameters: Readonly<Record<string, string>>): Record<string, string> => ({
    'X-Vault-Inline-Auth-Path': 'auth/jwt/login',
    'X-Vault-Inline-Auth-Operation': 'update',
    ...Object.fromEntries(
      Object.entries(parameters).map(([key, value]) => [
        `X-Vault-Inline-Auth-Parameter-${key}`,
        Buffer.from(JSON.stringify({ key, value })).toString('base64url'),
      ]),
    ),
  })

  test('inline authentication: OpenBao only', async () => {
    const { api, accounts, csr, isOpenBao } = contract()
    const body = { csr, common_name: 'calico-node:node1', exclude_cn_from_sans: true }
    const signInline = async (jwt: string) =>
      await api.call('POST', 'pki/sign/calico-node', body, { headers: headersOf({ role: 'calico-node', jwt }) })
    const answer = await signInline(accounts.token())
    expect(outcome(answer)).toEqual(wanted(isOpenBao ? { status: 200 } : tokenDenied))
    const failed = await signInline(accounts.token({ omit: ['pod'] }))
    const refused = { status: 400, error: /"\/kubernetes.io\/pod\/name" is missing$/ }
    expect(outcome(failed)).toEqual(wanted(isOpenBao ? refused : tokenDenied))
    expect(failed.headers['x-vault-inline-auth-failed']).toBe(isOpenBao ? 'true' : undefined)
  })
}

async function signWeak(contract: Contract, token: string) {
  const path = `pki/sign/${contract.setup.weakRole('calico-node')}`
  return await sign(contract, token, 'calico-node:any', {}, path)
}

/** A new mount of version 2 says for a moment that it is being upgraded. */
async function writeWhenReady({ api, vault }: Contract, path: string, body: object): Promise<void> {
  for (;;) {
    const answer = await api.call('POST', path, body, { token: vault.rootToken })
    if (answer.status === 200) return
    expect(answer.text).toMatch(/Upgrading from non-versioned to versioned data/)
  }
}
