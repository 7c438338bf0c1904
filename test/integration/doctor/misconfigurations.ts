/**
 * Owns the misconfigurations that `doctor` must recognize: how each is made on a stack that is in order, which check must fail,
 * with which reason, and what it must advise. Data for misconfigurations.test.ts.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { ReasonCode } from '../../../agent/reasons.ts'
import { createCa } from '../../support/certificates.ts'
import { freePort } from '../../support/child-server.ts'
import { startVaultFront } from '../agent/vault-front.ts'
import { allowCapabilities, type DoctorRun, type Patient, type Stack, user } from './stack.ts'

export interface Misconfiguration {
  readonly title: string
  /** Makes it; what concerns servers is undone when the test ends. */
  readonly spoil: (stack: Stack, patient: Patient) => Promise<DoctorRun> | DoctorRun
  readonly check: string
  /** Default: failure. */
  readonly status?: 'failure' | 'warning'
  /** Where the runbook tells about it. */
  readonly reason?: ReasonCode
  readonly saw: RegExp
  readonly advice: RegExp
  /** Other checks that cannot be in order then either. */
  readonly also?: readonly string[]
}

const withEnv =
  (env: NonNullable<DoctorRun['env']>): Misconfiguration['spoil'] =>
  () => ({ env })

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

export const misconfigurations: readonly Misconfiguration[] = [
  {
    title: 'a misspelt variable and two wrong values',
    spoil: withEnv({ AGENT_PKI_ROLL: 'x', AGENT_TTL: 'soon', ETCD_ENDPOINTS: 'http://etcd:2379' }),
    check: 'configuration',
    saw: /AGENT_PKI_ROLL .*AGENT_PKI_ROLE\?[^]*AGENT_TTL is "soon"[^]*ETCD_ENDPOINTS has "http:/,
    advice: /Correct each of them/,
  },
  {
    title: "the file of Vault's CA is missing",
    spoil: withEnv({ VAULT_CACERT: '/nonexistent/ca.pem' }),
    check: 'vault-files',
    reason: 'file-invalid',
    saw: /VAULT_CACERT: ENOENT.*\/nonexistent\/ca\.pem/,
    advice: /Check the file/,
  },
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
      front.now = () => Date.now() + 7_200_000
      return { env: { VAULT_ADDR: front.address, VAULT_CACERT: front.caFile } }
    },
    check: 'clock',
    reason: 'not-yet-valid',
    saw: /2h ahead/,
    advice: /NTP/,
  },
  {
    title: 'the service-account token is not mounted',
    spoil: withEnv({ AGENT_AUTH_TOKEN_FILE: '/nonexistent/token' }),
    check: 'credential',
    reason: 'credential-missing',
    saw: /\/nonexistent\/token/,
    advice: /Mount it/,
  },
  {
    title: 'the service-account token has expired',
    async spoil({ token }, { tokenFile }) {
      const [head = '', claims = '', signature = ''] = (await token()).split('.')
      const expired = { ...(JSON.parse(Buffer.from(claims, 'base64url').toString()) as object), exp: 1_700_000_000 }
      writeFileSync(tokenFile, [head, Buffer.from(JSON.stringify(expired)).toString('base64url'), signature].join('.'))
      return {}
    },
    check: 'credential',
    reason: 'credential-expired',
    saw: /expired at 2023-11-14/,
    advice: /kubelet/,
  },
  {
    title: 'the token is that of a pod on another node',
    async spoil({ token }, { tokenFile }) {
      writeFileSync(tokenFile, await token({ node: 'node2' }))
      return {}
    },
    check: 'credential',
    reason: 'wrong-node',
    saw: /bound to node2, NODE_NAME is node1/,
    advice: /spec\.nodeName/,
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
    title: "the token has the API server's own audience",
    async spoil({ token }, { tokenFile }) {
      writeFileSync(tokenFile, await token({ audiences: ['https://kubernetes.default.svc'] }))
      return {}
    },
    check: 'credential',
    status: 'warning',
    reason: 'credential-invalid',
    saw: /audience https:\/\/kubernetes\.default\.svc/,
    advice: /audience of its own/,
    also: ['login'],
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
  {
    title: "the CA of etcd's servers is not in the set",
    spoil: withEnv({ AGENT_ETCD_CA_FILE: undefined }),
    check: 'etcd-server',
    reason: 'etcd-untrusted-server',
    saw: /127\.0\.0\.1/,
    advice: /AGENT_ETCD_CA_FILE/,
  },
  {
    title: "etcd does not know Vault's CA",
    async spoil({ etcd, rootPem }) {
      await etcd.restart({ clientCaPem: '' })
      onTestFinished(() => etcd.restart({ clientCaPem: `${rootPem}\n` }))
      return {}
    },
    check: 'etcd-server',
    reason: 'etcd-rejected-certificate',
    saw: /unknown ca|certificate/i,
    advice: /--trusted-ca-file/,
  },
  {
    title: 'one of two members is down',
    async spoil({ etcd }) {
      return { env: { ETCD_ENDPOINTS: `${etcd.endpoint},https://127.0.0.1:${await freePort()}` } }
    },
    check: 'etcd-server',
    status: 'warning',
    reason: 'etcd-unheard',
    saw: /ECONNREFUSED/,
    advice: /ETCD_ENDPOINTS/,
  },
  {
    title: 'etcd has no user of this name',
    async spoil({ auth }) {
      const roles = await auth.rolesOf(user)
      await auth.deleteUser(user)
      onTestFinished(async () => {
        await auth.addUser(user)
        for (const role of roles) await auth.grantRole(user, role)
      })
      return {}
    },
    check: 'etcd-user',
    reason: 'etcd-unknown-user',
    saw: /there is no user calico-node:node1/,
    advice: /Add the user/,
  },
  {
    title: "the user lacks the keys that are the node's own",
    async spoil({ auth }) {
      const role = `calico-vault-agent/${user}`
      await auth.revokeRole(user, role)
      onTestFinished(() => auth.grantRole(user, role))
      return {}
    },
    check: 'etcd-keys',
    reason: 'etcd-permission-denied',
    saw: /lacks readwrite \/calico\/.*node1/,
    advice: /provision plan, then apply/,
  },
  {
    title: 'the user is an administrator of etcd',
    async spoil({ auth }) {
      await auth.grantRole(user, 'root')
      onTestFinished(() => auth.revokeRole(user, 'root'))
      return {}
    },
    check: 'etcd-keys',
    status: 'warning',
    saw: /has the role root/,
    advice: /only what its component needs/,
  },
  {
    title: 'no volume is mounted',
    spoil: (_stack, { root }) => ({ env: { AGENT_DIR: join(root, 'nowhere') } }),
    check: 'directory',
    reason: 'directory-missing',
    saw: /nowhere/,
    advice: /Mount a volume/,
  },
  {
    title: 'something else stands in the place of a file',
    spoil(_stack, { directory }) {
      mkdirSync(join(directory, 'etcd-key'))
      return {}
    },
    check: 'directory',
    reason: 'directory-occupied',
    saw: /etcd-key is neither a file nor a link/,
    advice: /Move it away/,
  },
  {
    title: 'the directory is on a disk',
    spoil() {
      const directory = mkdtempSync(join(tmpdir(), 'calico-vault-agent-disk-'))
      onTestFinished(() => rmSync(directory, { recursive: true }))
      return { env: { AGENT_DIR: directory } }
    },
    check: 'mount',
    status: 'warning',
    saw: /is on (?!tmpfs)/,
    advice: /emptyDir with medium: Memory|Mount the volume/,
  },
  {
    title: 'the consumer has another uid',
    spoil: () => ({ args: ['--consumer', '10001:10001'] }),
    check: 'readers',
    reason: 'directory-denied',
    saw: /10001:10001 cannot read .*etcd-key \(0400/,
    advice: /AGENT_FILE_UID=10001/,
  },
  {
    title: 'what stands in the directory is for somebody else',
    async spoil(_stack, { directory }) {
      const ca = await createCa({ commonName: 'Old CA' })
      const { certificatePem, privateKeyPem } = await ca.issue({ commonName: 'calico', client: true })
      const files = { 'etcd-ca': ca.certificatePem, 'etcd-cert': certificatePem, 'etcd-key': privateKeyPem }
      for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text)
      return {}
    },
    check: 'published',
    reason: 'wrong-name',
    saw: /the certificate is for "calico", wanted is "calico-node:node1"/,
    advice: /AGENT_COMMON_NAME/,
  },
]
