/** Owns what can be wrong on the node itself: variables, files, the token, the directory. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { createCa } from '../../../support/certificates.ts'
import { type Misconfiguration, withEnv } from './row.ts'

export const machineMisconfigurations: readonly Misconfiguration[] = [
  {
    title: 'a misspelled variable and two wrong values',
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
    title: 'the program that tells the consumers is not there',
    spoil: withEnv({ AGENT_ON_PUBLISH: '/nonexistent/tell --reload' }),
    check: 'on-publish',
    reason: 'on-publish-failed',
    saw: /ENOENT.*\/nonexistent\/tell/,
    advice: /correct the program/,
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
    saw: /etcd-key is not a file but a directory/,
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
