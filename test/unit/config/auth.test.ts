import { expect, test } from 'vitest'
import { Secret } from '../../../agent/core/secret.ts'
import { parse } from './environment.ts'

const clientCertificate = { VAULT_CLIENT_CERT: '/tls/tls.crt', VAULT_CLIENT_KEY: '/tls/tls.key' }
const tokenFile = '/var/run/secrets/kubernetes.io/serviceaccount/token'

test.each([
  [{}, { method: 'jwt', mount: 'jwt', role: 'calico-node', tokenFile }],
  [{ AGENT_AUTH_METHOD: 'kubernetes' }, { method: 'kubernetes', mount: 'kubernetes', role: 'calico-node', tokenFile }],
  [
    { AGENT_AUTH_MOUNT: 'prod/k8s', AGENT_AUTH_ROLE: 'r', AGENT_AUTH_TOKEN_FILE: '/t' },
    { method: 'jwt', mount: 'prod/k8s', role: 'r', tokenFile: '/t' },
  ],
  [
    { AGENT_AUTH_METHOD: 'approle', AGENT_AUTH_ROLE_ID_FILE: '/r' },
    { method: 'approle', mount: 'approle', roleIdFile: '/r', secretIdFile: undefined },
  ],
  [
    { AGENT_AUTH_METHOD: 'approle', AGENT_AUTH_ROLE_ID_FILE: '/r', AGENT_AUTH_SECRET_ID_FILE: '/s' },
    { method: 'approle', mount: 'approle', roleIdFile: '/r', secretIdFile: '/s' },
  ],
  [
    { AGENT_AUTH_METHOD: 'cert', AGENT_COMPONENT: 'calicoctl', ...clientCertificate },
    { method: 'cert', mount: 'cert', role: 'calicoctl' },
  ],
  [
    { AGENT_AUTH_METHOD: 'token', AGENT_VAULT_TOKEN_FILE: '/t' },
    { method: 'token', token: undefined, tokenFile: '/t' },
  ],
])('%j', (environment, auth) => {
  expect(parse(environment).auth).toEqual(auth)
})

test('the token of VAULT_TOKEN is kept as a secret', () => {
  const { auth } = parse({ AGENT_AUTH_METHOD: 'token', VAULT_TOKEN: ' hvs.abc\n' })
  if (auth?.method !== 'token') throw new Error('another method')
  expect(auth.token).toBeInstanceOf(Secret)
  expect(auth.token?.reveal()).toBe('hvs.abc')
})
