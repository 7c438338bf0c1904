/** Owns the contract of logins with service-account tokens: jwt and kubernetes, what is granted and what is refused and how. */
import { expect, test } from 'vitest'
import type { FakeKubeMode } from '../../support/fake-kube.ts'
import { startFakeKube } from '../../support/fake-kube.ts'
import { createServiceAccountIssuer, type ServiceAccountTokenOptions, uidOf } from '../../support/service-account.ts'
import { type Contracted, type Expected, loginJwt, outcome, tokenDenied, wanted } from './contract.ts'

const invalid = 'error validating token: '

const refusals: Readonly<Record<string, readonly [ServiceAccountTokenOptions, Expected]>> = {
  'no node claim': [{ omit: ['node'] }, { status: 400, error: 'claim "/kubernetes.io/node/name" not found in token' }],
  'empty node claim': [
    { node: '', pod: 'calico-node-1' },
    { status: 500, error: 'missing name in alias' },
  ],
  'no pod claim': [
    { omit: ['pod'] },
    { status: 400, error: 'error validating claims: claim "/kubernetes.io/pod/name" is missing' },
  ],
  'pod outside the glob': [
    { pod: 'other-1' },
    {
      status: 400,
      error:
        'error validating claims: claim "/kubernetes.io/pod/name" does not match any associated bound claim values',
    },
  ],
  'another service account': [
    { serviceAccount: 'calico-cni-plugin', pod: 'calico-node-1' },
    { status: 400, error: `${invalid}invalid subject (sub) claim` },
  ],
  'another namespace': [{ namespace: 'default' }, { status: 400, error: `${invalid}invalid subject (sub) claim` }],
  'another audience': [
    { audience: 'other' },
    {
      status: 400,
      error: `${invalid}invalid audience (aud) claim: audience claim does not match any expected audience`,
    },
  ],
  'another issuer': [{ issuer: 'https://other' }, { status: 400, error: `${invalid}invalid issuer (iss) claim` }],
  'expired by more than the leeway': [
    { startsInSeconds: -3600, expiresInSeconds: -90 },
    { status: 400, error: `${invalid}invalid expiration time (exp) claim: token is expired` },
  ],
  'not valid yet': [
    { startsInSeconds: 90 },
    { status: 400, error: `${invalid}invalid not before (nbf) claim: token not yet valid` },
  ],
  'a foreign key': [
    { isForged: true },
    {
      status: 400,
      error: `${invalid}error verifying token signature: no known key successfully validated the token signature`,
    },
  ],
  'no signature': [
    { algorithm: 'none' },
    {
      status: 400,
      error: `${invalid}error verifying token signature: no known key successfully validated the token signature`,
    },
  ],
}

export function jwtCases(contract: Contracted): void {
  test('a login gives a batch token with the role and the mapped claims', async () => {
    const answer = await loginJwt(contract())
    expect(outcome(answer)).toEqual(wanted({ status: 200 }))
    expect(answer.body.auth).toMatchObject({
      client_token: expect.stringMatching(/^(hv)?b\./) as string,
      accessor: '',
      token_type: 'batch',
      renewable: false,
      lease_duration: 900,
      orphan: true,
      policies: ['calico-cni-pki', 'calico-node-pki'],
      token_policies: ['calico-cni-pki', 'calico-node-pki'],
      metadata: { role: 'calico-node', node_name: 'node1', node_uid: uidOf('node/node1') },
      num_uses: 0,
    })
    expect(answer.body).toMatchObject({ lease_id: '', renewable: false, lease_duration: 0, data: null, warnings: null })
    expect(answer.headers['content-type']).toBe('application/json')
  })

  test.each(Object.entries(refusals))('jwt: %s', async (_, [options, expected]) => {
    expect(outcome(await loginJwt(contract(), options))).toEqual(wanted(expected))
  })

  test('an expiry within the leeway, a text audience and a role in upper case are accepted', async () => {
    expect(outcome(await loginJwt(contract(), { expiresInSeconds: -30, startsInSeconds: -600 }))).toEqual(
      wanted({ status: 200 }),
    )
    expect(outcome(await loginJwt(contract(), { hasTextAudience: true }))).toEqual(wanted({ status: 200 }))
    expect(outcome(await loginJwt(contract(), {}, 'CALICO-NODE'))).toEqual(wanted({ status: 200 }))
  })

  test('a login without its parts, and not a login', async () => {
    const { api, accounts } = contract()
    const jwt = accounts.token()
    const login = 'auth/jwt/login'
    expect(outcome(await api.call('POST', login, { role: 'calico-node' }))).toEqual(
      wanted({ status: 400, error: 'missing token' }),
    )
    expect(outcome(await api.call('POST', login, { jwt }))).toEqual(wanted({ status: 400, error: 'missing role' }))
    expect(outcome(await api.call('POST', login, { jwt, role: 'nope' }))).toEqual(
      wanted({
        status: 400,
        error: 'role "nope" could not be found',
      }),
    )
    expect(outcome(await api.call('GET', login))).toEqual(wanted({ status: 405, error: /unsupported operation/ }))
    expect(outcome(await api.call('POST', 'auth/nope/login', { jwt, role: 'calico-node' }))).toEqual(
      wanted(tokenDenied),
    )
    const broken = await api.call('POST', login, undefined, { rawBody: '{"role":' })
    expect([400, 500]).toContain(broken.status)
    expect(broken.body.errors).toHaveLength(1)
    expect(outcome(await api.call('PUT', login, { jwt, role: 'calico-node' }))).toEqual(wanted({ status: 200 }))
  })

  test('keys from a JWKS URL are checked when configured, and kept through an outage', async () => {
    const { api } = contract()
    const accounts = createServiceAccountIssuer()
    const kube = await startFakeKube(accounts)
    const config = { jwks_url: kube.jwksUrl, jwks_ca_pem: kube.caPem, bound_issuer: accounts.issuer }
    await api.root('POST', 'sys/auth/jwt-jwks', { type: 'jwt' })
    await api.root('POST', 'auth/jwt-jwks/config', config)
    await api.root('POST', 'auth/jwt-jwks/role/node', {
      role_type: 'jwt',
      bound_audiences: ['vault-calico'],
      user_claim: '/kubernetes.io/node/name',
      user_claim_json_pointer: true,
      token_type: 'batch',
    })
    const login = async (jwt: string) => await api.call('POST', 'auth/jwt-jwks/login', { role: 'node', jwt })
    expect(outcome(await login(accounts.token()))).toEqual(wanted({ status: 200 }))
    await kube.stop()
    expect(outcome(await login(accounts.token()))).toEqual(wanted({ status: 200 }))
    const stranger = createServiceAccountIssuer()
    expect(outcome(await login(stranger.token()))).toEqual(
      wanted({
        status: 400,
        error:
          /^error validating token: error verifying token signature: fetching keys oidc: get keys failed Get "https/,
      }),
    )
    const unreachable = await api.call('POST', 'auth/jwt-jwks/config', config, { token: contract().vault.rootToken })
    expect(outcome(unreachable)).toEqual(wanted({ status: 400, error: /^error checking jwks URL\b/ }))
  })
}

const kubernetesRefusals: Readonly<Record<string, readonly [ServiceAccountTokenOptions, Expected]>> = {
  'another audience': [
    { audience: 'other' },
    { status: 403, error: 'invalid audience (aud) claim: audience claim does not match any expected audience' },
  ],
  'another service account': [
    { serviceAccount: 'other' },
    { status: 403, error: 'service account name not authorized' },
  ],
  'another namespace': [{ namespace: 'default' }, { status: 403, error: 'namespace not authorized' }],
  expired: [
    { startsInSeconds: -3600, expiresInSeconds: -90 },
    { status: 403, error: 'invalid expiration time (exp) claim: token is expired' },
  ],
  'a foreign key': [{ isForged: true }, tokenDenied],
  'a text audience': [
    { hasTextAudience: true },
    { status: 500, error: /'aud':? source data must be an array or slice/ },
  ],
}

export function kubernetesCases(contract: Contracted): void {
  const login = async (options: ServiceAccountTokenOptions = {}, role = 'calico-node') => {
    const { api, accounts } = contract()
    return await api.call('POST', 'auth/kubernetes/login', { role, jwt: accounts.token(options) })
  }

  test('a login gives a token that knows the service account and not the node', async () => {
    const first = await login({ node: 'node1' })
    const second = await login({ node: 'node2' })
    expect(outcome(first)).toEqual(wanted({ status: 200 }))
    expect(first.body.auth).toMatchObject({
      token_type: 'batch',
      metadata: { role: 'calico-node', service_account_name: 'calico-node', service_account_namespace: 'kube-system' },
    })
    expect(second.body.auth?.['entity_id']).toBe(first.body.auth?.['entity_id'])
  })

  test.each(Object.entries(kubernetesRefusals))('kubernetes: %s', async (_, [options, expected]) => {
    expect(outcome(await login(options))).toEqual(wanted(expected))
  })

  test('kubernetes: an unknown role', async () => {
    expect(outcome(await login({}, 'nope'))).toEqual(wanted({ status: 400, error: 'invalid role name "nope"' }))
  })

  test.each(['deny', 'unauthorized', 'error', 'drop', 'other-audience'] satisfies FakeKubeMode[])(
    'kubernetes: the API server answers "%s"',
    async (mode) => {
      const { kube } = contract()
      kube.mode = mode
      try {
        expect(outcome(await login())).toEqual(wanted(tokenDenied))
      } finally {
        kube.mode = 'normal'
      }
    },
  )
}
