/** Owns what can be wrong with Vault: the way there, the login, the policy and the PKI role. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { createCa } from '../../../support/certificates.ts'
import { freePort } from '../../../support/child-server.ts'
import { startVaultFront } from '../../agent/vault-front.ts'
import { allowCapabilities, type Patient, type Stack } from '../stack.ts'
import { type Misconfiguration, withEnv } from './row.ts'

/** A role of the PKI mount with other settings, until the test ends. */
async function changeRole({ api }: Stack, change: object): Promise<void> {
  const path = 'pki/roles/calico-node'
  const { body } = await api.root('GET', path)
  await api.root('POST', path, { ...body.data, ...change })
  onTestFinished(async () => void (await api.root('POST', path, body.data)))
}

async function writeOtherCa({ root }: Patient): Promise<string> {
  const file = join(root, 'other-ca.pem')
  writeFileSync(file, (await createCa({ commonName: 'Somebody else' })).certificatePem)
  return file
}

export const vaultMisconfigurations: readonly Misconfiguration[] = [
  {
    title: 'Vault is verified with the CA of somebody else',
    spoil: async (_stack, patient) => ({ env: { VAULT_CACERT: await writeOtherCa(patient) } }),
    check: 'vault-tls',
    reason: 'vault-tls',
    saw: /presented: .*issued by/,
    advice: /VAULT_CACERT/,
  },
  {
    title: 'the name of Vault does not resolve',
    spoil: withEnv({ VAULT_ADDR: 'https://vault.invalid:8200' }),
    check: 'vault-name',
    reason: 'vault-name-unresolved',
    saw: /vault\.invalid/,
    advice: /VAULT_ADDR and DNS/,
  },
  {
    title: 'nobody listens where Vault should be',
    spoil: async () => ({ env: { VAULT_ADDR: `https://127.0.0.1:${await freePort()}` } }),
    check: 'vault-tls',
    reason: 'vault-unreachable',
    saw: /ECONNREFUSED/,
    advice: /network policies/,
  },
  {
    title: 'Vault is sealed',
    async spoil({ vault, api }) {
      await vault.seal()
      onTestFinished(async () => {
        await vault.unseal()
        while ((await api.call('GET', 'sys/health')).status !== 200);
      })
      return {}
    },
    check: 'vault-state',
    reason: 'vault-sealed',
    saw: /sealed/,
    advice: /Unseal Vault/,
  },
  {
    title: "Vault's clock is two hours ahead",
    async spoil({ vault }) {
      const front = await startVaultFront(vault)
      front.rewriteAnswer = (path, body) =>
        path.includes('sys/health')
          ? body.replace(/"server_time_utc":(\d+)/, (_all, seconds) => `"server_time_utc":${Number(seconds) + 7205}`)
          : body
      return { env: { VAULT_ADDR: front.address, VAULT_CACERT: front.caFile } }
    },
    check: 'clock',
    reason: 'not-yet-valid',
    saw: /2h ahead/,
    advice: /NTP/,
  },
  {
    title: 'the token has another audience',
    async spoil({ token }, { tokenFile }) {
      writeFileSync(tokenFile, await token({ audiences: ['somebody-else'] }))
      return {}
    },
    check: 'login',
    reason: 'vault-login-refused',
    saw: /audience/,
    advice: /bound_audiences/,
  },
  {
    title: 'the token is of another issuer than Vault expects',
    async spoil({ vault, api }) {
      const { body } = await api.root('GET', 'auth/jwt/config')
      await api.root('POST', 'auth/jwt/config', { ...body.data, bound_issuer: 'https://other.example.org' })
      onTestFinished(async () => void (await api.root('POST', 'auth/jwt/config', body.data)))
      // Whoever looks may read Vault's configuration; the agent may not.
      return { env: { VAULT_TOKEN: vault.rootToken } }
    },
    check: 'login',
    reason: 'vault-login-refused',
    saw: /the token's issuer is https:\/\/(?!other).*; Vault expects https:\/\/other\.example\.org/,
    advice: /bound_issuer.*kubernetes\.issuer/,
  },
  {
    title: 'the auth method is mounted elsewhere',
    spoil: withEnv({ AGENT_AUTH_MOUNT: 'elsewhere' }),
    check: 'login',
    reason: 'vault-login-refused',
    saw: /auth\/elsewhere\/login/,
    advice: /AGENT_AUTH_MOUNT/,
  },
  {
    title: 'there is no such role to log in with',
    spoil: withEnv({ AGENT_AUTH_ROLE: 'nobody' }),
    check: 'login',
    reason: 'vault-login-refused',
    saw: /nobody/,
    advice: /AGENT_AUTH_ROLE/,
  },
  {
    title: 'the policy does not allow signing',
    async spoil({ api }) {
      await allowCapabilities(api, ['read'])
      onTestFinished(() => allowCapabilities(api, ['update']))
      return {}
    },
    check: 'permissions',
    reason: 'vault-denied',
    saw: /pki\/sign\/calico-node: read/,
    advice: /update on <mount>\/sign\/<role>/,
    also: ['signing'],
  },
  {
    title: 'the policy allows more than signing',
    async spoil({ api }) {
      await allowCapabilities(api, ['update', 'delete', 'sudo'])
      onTestFinished(() => allowCapabilities(api, ['update']))
      return {}
    },
    check: 'permissions',
    status: 'warning',
    saw: /delete, sudo/,
    advice: /only update/,
  },
  {
    title: 'there is no PKI at this path',
    spoil: withEnv({ AGENT_PKI_MOUNT: 'nowhere' }),
    check: 'issuers',
    reason: 'vault-denied',
    saw: /nowhere\/issuers/,
    advice: /AGENT_PKI_MOUNT/,
    also: ['permissions'],
  },
  {
    title: 'the PKI role wants keys of another type',
    spoil: withEnv({ AGENT_KEY_TYPE: 'rsa-2048' }),
    check: 'signing',
    reason: 'vault-request-refused',
    saw: /role requires keys of type ec/,
    advice: /AGENT_KEY_TYPE/,
  },
  {
    title: 'the PKI role does not allow the common name',
    spoil: withEnv({ AGENT_COMMON_NAME: '{component}-{node}' }),
    check: 'signing',
    reason: 'vault-request-refused',
    saw: /common name calico-node-node1 not allowed/,
    advice: /allowed_domains/,
  },
  {
    title: 'the PKI role makes no client certificates',
    async spoil(stack) {
      await changeRole(stack, { client_flag: false, server_flag: true })
      return {}
    },
    check: 'signing',
    reason: 'not-client-auth',
    saw: /extended key usage/,
    advice: /client_flag=true/,
  },
  {
    title: 'the PKI role grants an hour where a day is asked for',
    async spoil(stack) {
      await changeRole(stack, { ttl: '1h', max_ttl: '1h' })
      return {}
    },
    check: 'signing',
    status: 'warning',
    reason: 'lifetime-too-short',
    saw: /AGENT_TTL asks for 1d/,
    advice: /max_ttl/,
  },
]
